/// \file
/// The arithmetic that a forward pass needs, for benchmarks: what there is to do, and how fast the
/// machine's own matrix product would do it.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/bert.h"

namespace cloze {

/// Floating-point operations of the matrix products of one encoder pass over sequences of these
/// lengths: linear layers 2·tokens·weights, attention 4·hidden·length² a sequence and layer.
[[nodiscard]] double matrix_operations(const BertConfig& config,
                                       std::span<const std::int32_t> cu_seqlens);

/// GFLOP/s of oneDNN alone on the linear layers of this model with `tokens` packed tokens (see
/// ops::gemm_rate): median of `repeats` passes over one layer's products.
[[nodiscard]] double gemm_rate(const BertConfig& config, std::int64_t tokens, Precision precision,
                               int repeats);

}  // namespace cloze
