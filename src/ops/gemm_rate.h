/// \file
/// A device's matrix rate: the limit that a model's speed is measured against.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/tensor.h"
#include "ops/context.h"

namespace cloze::ops {

/// One product of a model: [m, k]·[k, n], `count` times a pass.
struct GemmShape {
  std::int64_t m, n, k, count;
};

/// GFLOP/s that the device's library of products (oneDNN on the processor) reaches alone over these
/// products, with its own packing and threading; the median of `repeats` passes.
[[nodiscard]] double gemm_rate(const Device& device, std::span<const GemmShape> shapes,
                               DType compute, int repeats);

}  // namespace cloze::ops
