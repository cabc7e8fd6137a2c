/// \file
/// Texts → vectors: the encoder over batches by token budget, pooled, results in input order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cloze/bert.h"
#include "cloze/sentence_settings.h"
#include "cloze/tensor.h"
#include "datasets/batching.h"
#include "sentence/dense.h"
#include "sentence/pooling.h"

namespace cloze {

/// What is done to pooled vectors: a linear layer, or without one scaling to length 1.
struct EmbedStep {
  std::optional<Dense> dense{};
};

/// What a model's settings say, with the layers' weights. `width` is what the first of them reads.
/// Throws ModelError where a linear layer reads vectors of another width, and as Dense::of_step.
[[nodiscard]] std::vector<EmbedStep> embed_steps(const std::vector<SentenceStep>& steps,
                                                 std::int64_t width);

/// The width of vectors of `width` values after the steps.
[[nodiscard]] std::int64_t width_after(const std::vector<EmbedStep>& steps, std::int64_t width);

/// Does the steps one after another to the rows of `vectors`.
void apply_steps(const std::vector<EmbedStep>& steps, Tensor& vectors);

struct EmbedOptions {
  std::vector<Pooling> poolings{Pooling::none};  ///< side by side; `none` and `pooler` stand alone
  std::vector<SentenceStep> steps{};             ///< on the pooled vectors, first to last
  std::optional<std::int64_t> truncate_dim{};    ///< then only the first columns are kept
  bool normalize = false;                        ///< after all else, vectors have length 1
  /// Which hidden states, as indices of transformers' `hidden_states`: 0 the embeddings, -1 the
  /// last layer. Several are concatenated.
  std::vector<std::int64_t> layers{-1};
  std::int64_t batch_tokens = 8192;
};

/// Told after each batch which texts are done: for a progress bar.
using OnBatch = std::function<void(std::span<const std::size_t>)>;

class Embedder {
 public:
  /// Throws ModelError when the model lacks the pooler that is asked for, and as embed_steps;
  /// ArgumentError for a layer that it does not have, and for layers together with the pooler.
  Embedder(BertModel model, EmbedOptions options);

  [[nodiscard]] const BertModel& model() const { return model_; }
  [[nodiscard]] const EmbedOptions& options() const { return options_; }

  /// Columns of every vector: the hidden size times layers and poolings, or what the last dense layer
  /// has, cut to `truncate_dim`.
  [[nodiscard]] std::int64_t columns() const;
  /// Whether columns are cut off.
  [[nodiscard]] bool truncates() const { return columns() < whole_columns(); }

  /// A vector a text: [texts, columns]; its first `skipped` tokens are not pooled. Not for
  /// `Pooling::none` (ArgumentError).
  [[nodiscard]] Tensor embed(std::span<const TokenizedText> texts, const OnBatch& on_batch = {},
                             std::int64_t skipped = 0) const;

  /// The vectors of the tokens of each text: [length, columns]. Only for `Pooling::none`.
  [[nodiscard]] std::vector<Tensor> embed_tokens(std::span<const TokenizedText> texts,
                                                 const OnBatch& on_batch = {}) const;

 private:
  [[nodiscard]] bool pools() const { return options_.poolings.front() != Pooling::none; }
  [[nodiscard]] std::int64_t state_columns() const;   // of a token
  [[nodiscard]] std::int64_t pooled_columns() const;  // before the steps
  [[nodiscard]] std::int64_t whole_columns() const;   // after them
  /// [total_tokens, columns], or with pooling [sequences, columns].
  [[nodiscard]] Tensor run(const Batch& batch, std::int64_t skipped) const;
  [[nodiscard]] Tensor selected(const BertOutput& output) const;

  BertModel model_;
  EmbedOptions options_;
  std::vector<EmbedStep> steps_;
  std::vector<std::size_t> layers_;  // the same from 0; empty: the last layer alone
};

}  // namespace cloze
