/// \file
/// What one caller of operations holds while it computes: a device, and working memory there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cloze/profile.h"
#include "core/arena.h"
#include "ops/matrix.h"

namespace cloze::ops {

class Device;

/// One context serves one calling thread at a time; any number of contexts may work at once on the
/// same weights. What a device compiles for a caller stays with the context, so a context is worth
/// keeping.
class Context {
 public:
  /// What a device keeps for each context.
  struct State {
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual ~State() = default;
    /// A computation of the calling thread starts.
    virtual void begin() {}
    virtual void start_profile() {}
    [[nodiscard]] virtual Profile take_profile() { return {}; }
  };

  /// Computes on the processor.
  Context();
  /// `device` must outlive the context.
  explicit Context(const Device& device);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  [[nodiscard]] const Device& device() const { return device_; }
  [[nodiscard]] State& state() { return *state_; }

  /// Starts a computation of the calling thread: takes back all working memory, and lets the device
  /// prepare.
  void begin();

  /// From `start_profile` on, operations record what they cost; `take_profile` ends that and gives
  /// it. Without, they do not look at the clock.
  void start_profile() { state_->start_profile(); }
  [[nodiscard]] Profile take_profile() { return state_->take_profile(); }

  /// A dense [rows, cols] matrix of working memory, uninitialised; valid until `begin`.
  [[nodiscard]] Matrix matrix(DType dtype, std::int64_t rows, std::int64_t cols);
  /// The same of `count` f32 values.
  [[nodiscard]] std::span<float> floats(std::int64_t count) { return arena_.take<float>(count); }

  /// Bytes of working memory held now.
  [[nodiscard]] std::size_t capacity() const { return arena_.capacity(); }

 private:
  const Device& device_;
  Arena arena_;
  std::unique_ptr<State> state_;
};

}  // namespace cloze::ops
