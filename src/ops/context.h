/// \file
/// What one caller of operations holds while it computes: working memory and compiled primitives.
#pragma once

#include <cstdint>
#include <memory>

#include "cloze/profile.h"
#include "core/arena.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// One context serves one calling thread at a time; any number of contexts may work at once on the
/// same weights. Compiled primitives stay with the context, so a context is worth keeping.
class Context {
 public:
  Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  /// Starts a computation of the calling thread: takes back all working memory, and sees that every
  /// thread of the team that will work on it has its own part.
  void begin();

  [[nodiscard]] Arena& arena() { return arena_; }

  /// From `start_profile` on, operations record what they cost; `take_profile` ends that and gives
  /// it. Without, they do not look at the clock.
  void start_profile();
  [[nodiscard]] Profile take_profile();

  /// A dense [rows, cols] matrix from the arena, uninitialised.
  [[nodiscard]] Matrix matrix(DType dtype, std::int64_t rows, std::int64_t cols);

  /// Device's own part; defined by the device.
  struct Device;
  [[nodiscard]] Device& device() { return *device_; }

 private:
  Arena arena_;
  std::unique_ptr<Device> device_;
};

}  // namespace cloze::ops
