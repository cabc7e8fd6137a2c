/// \file
/// The machine's matrix rate: the limit that a model's speed is measured against.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/tensor.h"

namespace cloze::ops {

/// One product of a model: [m, k]·[k, n], `count` times a pass.
struct GemmShape {
  std::int64_t m, n, k, count;
};

/// GFLOP/s that oneDNN alone reaches over these products, its own packing and threading, median of
/// `repeats` passes.
[[nodiscard]] double gemm_rate(std::span<const GemmShape> shapes, DType compute, int repeats);

}  // namespace cloze::ops
