/// \file
/// The device's own rate on the matrix products of a pre-training step.
#pragma once

#include "bert/training/pretraining.h"
#include "cloze/config.h"

namespace cloze {

/// GFLOP/s that the device of `options` alone reaches on the products of such a step, in their
/// compute (ops::gemm_rate).
[[nodiscard]] double training_gemm_rate(const BertConfig& config,
                                        const internal::TrainingOptions& options,
                                        const internal::PretrainingBatch& batch, int repeats);

}  // namespace cloze
