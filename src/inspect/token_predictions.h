/// \file
/// What the masked-LM head says about every token of a text: at each layer ("logit lens",
/// nostalgebraist 2020), and when the token is masked (pseudo-perplexity, Salazar et al.,
/// arXiv:1910.14659).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cloze/batch.h"
#include "cloze/bert.h"
#include "cloze/tensor.h"

namespace cloze {

/// How predictions are made: `words` is the number of vocabulary entries that are tokens (a model's
/// matrix may have more rows), `top` how many of them to keep for each place.
struct TokenPredictionOptions {
  std::int64_t words = 0;
  std::int64_t top = 5;
  std::int64_t batch_tokens = 2048;
  std::function<void(std::int64_t, std::int64_t)> on_progress = {};  ///< done, of how many
};

/// The head on each of the hidden states of a text.
struct LayerPredictions {
  Tensor ids;            ///< i32 [hidden states, tokens, top], likeliest first
  Tensor probabilities;  ///< f32, the same shape; softmax over the words
};
/// `hidden_states` as BertOutput has them: the embeddings' first, each [tokens, hidden].
[[nodiscard]] LayerPredictions predict_by_layer(const BertForMaskedLM& model,
                                                std::span<const Tensor> hidden_states,
                                                const TokenPredictionOptions& options);

/// Each position masked in turn.
struct MaskedPredictions {
  std::vector<std::int32_t> positions;  ///< the places that were masked
  Tensor surprise;                      ///< f32 [positions]: -log p(the token that was there), nats
  Tensor ids;                           ///< i32 [positions, top], likeliest first
  Tensor probabilities;                 ///< f32 [positions, top]
  /// exp of the mean surprise; 0 without positions.
  double pseudo_perplexity = 0;
};
/// Masks each of `positions` of the one sequence in `batch` by `mask_id`, batches of
/// `batch_tokens` at a time.
[[nodiscard]] MaskedPredictions predict_masked(const BertForMaskedLM& model, const Batch& batch,
                                               std::span<const std::int32_t> positions,
                                               std::int32_t mask_id,
                                               const TokenPredictionOptions& options);

}  // namespace cloze
