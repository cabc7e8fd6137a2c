/// \file
/// The working memory of a model, for as many calls as compute at once.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include "core/parallel.h"
#include "ops/context.h"

namespace cloze::internal {

/// Contexts that are not in use. A call borrows one while it computes, and as many calls compute at
/// once as there are threads, so there are never more contexts than that. It has no lock: a
/// process may fork at any time.
class ContextPool {
 public:
  /// A computation of the calling thread (see Computation) and the context that it works in.
  class Lease {
   public:
    explicit Lease(ContextPool& pool);
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease(Lease&&) = delete;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    [[nodiscard]] ops::Context& context() const { return *context_; }

   private:
    Computation computation_;  // before the context is taken, and until it is back
    ContextPool& pool_;
    std::unique_ptr<ops::Context> context_;
  };

  /// Of contexts that compute on `device`, which must outlive it.
  explicit ContextPool(const ops::Device& device) : device_(device) {}
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;
  ContextPool(ContextPool&&) = delete;
  ContextPool& operator=(ContextPool&&) = delete;
  ~ContextPool();

  [[nodiscard]] Lease borrow() { return Lease(*this); }

 private:
  static constexpr std::size_t kMost = 256;  ///< contexts that are kept at most

  [[nodiscard]] std::unique_ptr<ops::Context> take() noexcept;
  void give_back(std::unique_ptr<ops::Context> context) noexcept;

  const ops::Device& device_;
  /// Each is one idle context's place, or empty.
  std::array<std::atomic<ops::Context*>, kMost> idle_{};
};

}  // namespace cloze::internal
