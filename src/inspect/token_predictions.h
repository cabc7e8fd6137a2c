/// \file
/// Computes the predictions by layer and under masks that cloze/inspect.h describes.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/batch.h"
#include "cloze/bert.h"
#include "cloze/inspect.h"
#include "cloze/progress.h"
#include "cloze/tensor.h"

namespace cloze {

/// How predictions are made: `words` is the number of vocabulary entries that are tokens (a model's
/// matrix may have more rows), `top` how many of them to keep for each position.
struct TokenPredictionOptions {
  std::int64_t words = 0;
  std::int64_t top = 5;
  std::int64_t batch_tokens = 2048;
};

/// Applies the head to each of `hidden_states`, in BertOutput's order: the embeddings' first, each
/// [tokens, hidden].
[[nodiscard]] LayerPredictions predict_by_layer(const BertForMaskedLM& model,
                                                std::span<const Tensor> hidden_states,
                                                const TokenPredictionOptions& options,
                                                const ProgressCallback& progress = {});

/// Replaces each of `positions` of the one sequence in `batch` by `mask_id` in turn, and predicts
/// the token there, batches of `batch_tokens` at a time.
[[nodiscard]] MaskedPredictions predict_masked(const BertForMaskedLM& model, const Batch& batch,
                                               std::span<const std::int32_t> positions,
                                               std::int32_t mask_id,
                                               const TokenPredictionOptions& options,
                                               const ProgressCallback& progress = {});

}  // namespace cloze
