/// \file
/// The machine's own rate on the matrix products of a pre-training step.
#pragma once

#include "bert/training/pretraining.h"
#include "cloze/config.h"
#include "cloze/tensor.h"

namespace cloze {

/// GFLOP/s that oneDNN alone reaches on the products of such a step (ops::gemm_rate).
[[nodiscard]] double training_gemm_rate(const BertConfig& config,
                                        const internal::PretrainingBatch& batch, DType compute,
                                        int repeats);

}  // namespace cloze
