/// \file
/// Texts → vectors: the encoder over batches by token budget, pooled, results in input order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cloze/bert.h"
#include "cloze/tensor.h"
#include "datasets/batching.h"
#include "sentence/dense.h"
#include "sentence/pooling.h"

namespace cloze {

struct EmbedOptions {
  Pooling pooling = Pooling::none;
  bool normalize = false;      ///< after all else
  std::vector<Dense> dense{};  ///< layers on the pooled vectors, first to last
  /// Which hidden states, as indices of transformers' `hidden_states`: 0 the embeddings, -1 the
  /// last layer. Several are concatenated.
  std::vector<std::int64_t> layers{-1};
  std::int64_t batch_tokens = 8192;
};

/// Told after each batch which texts are done: for a progress bar.
using OnBatch = std::function<void(std::span<const std::size_t>)>;

class Embedder {
 public:
  /// Throws ModelError when the model lacks the pooler that is asked for, ArgumentError for a layer
  /// that it does not have, and for layers together with the pooler.
  Embedder(BertModel model, EmbedOptions options);

  [[nodiscard]] const BertModel& model() const { return model_; }
  [[nodiscard]] const EmbedOptions& options() const { return options_; }

  /// Columns of every vector: the hidden size times the layers, or what the last dense layer has.
  [[nodiscard]] std::int64_t columns() const;

  /// A vector a text: [texts, columns]. Not for `Pooling::none` (ArgumentError).
  [[nodiscard]] Tensor embed(std::span<const TokenizedText> texts,
                             const OnBatch& on_batch = {}) const;

  /// The vectors of the tokens of each text: [length, columns]. Only for `Pooling::none`.
  [[nodiscard]] std::vector<Tensor> embed_tokens(std::span<const TokenizedText> texts,
                                                 const OnBatch& on_batch = {}) const;

 private:
  [[nodiscard]] std::int64_t state_columns() const;  // before the dense layers
  /// [total_tokens, columns], or with pooling [sequences, columns].
  [[nodiscard]] Tensor run(const Batch& batch) const;
  [[nodiscard]] Tensor selected(const BertOutput& output) const;

  BertModel model_;
  EmbedOptions options_;
  std::vector<std::size_t> layers_;  // the same from 0; empty: the last layer alone
};

}  // namespace cloze
