/// \file
/// Numbers that an operation gives to the host: losses and norms.
#pragma once

#include <memory>
#include <utility>

namespace cloze::ops {

/// A number that the device may still be computing. `get` waits for the device; whoever starts all
/// operations of a pass before the first `get` waits once, not once an operation.
template <class T>
class Pending {
 public:
  /// Where a device keeps a number until the host reads it.
  struct Source {
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;
    [[nodiscard]] virtual T read() = 0;
  };

  /// A number that is there: what a device gives that computes while the host waits.
  Pending(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  explicit Pending(std::shared_ptr<Source> source) : source_(std::move(source)) {}

  [[nodiscard]] T get() const { return source_ ? source_->read() : value_; }

 private:
  T value_{};
  std::shared_ptr<Source> source_;
};

}  // namespace cloze::ops
