/// \file
/// The encoder in training: embeddings and layers, forward and backward. Heads stand on it: they
/// take its hidden states and give it their gradients.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bert/token_selection.h"
#include "bert/training/trainable_layer.h"
#include "bert/training/training_weights.h"
#include "cloze/batch.h"
#include "cloze/config.h"
#include "ops/embedding.h"

namespace cloze::internal {

/// What the dropout of a pass is a function of.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint64_t pass = 0;  ///< counts the passes of a run
  bool active = true;
};

/// Places where dropout acts outside of the layers.
enum class DropoutSite : std::uint8_t { embeddings = 0, head = 1, head_input = 2 };

/// The part of an encoder that keeps its values: its embeddings, or they and the first layers.
struct FrozenPart {
  bool embeddings = false;
  std::int64_t layers = 0;  ///< the first so many; then the embeddings are frozen, too

  [[nodiscard]] bool has_embeddings() const { return embeddings || layers > 0; }
  /// Whether it includes the parameter of this name.
  [[nodiscard]] bool contains(std::string_view parameter) const;
};

class TrainableEncoder {
 public:
  /// Looks into `weights`, which must outlive it and hold `encoder_parameters(config, ...)`.
  /// `recompute`: keep the layers' inputs alone and compute the rest again for the backward.
  /// `frozen`: what is not trained, and costs no backward.
  TrainableEncoder(const BertConfig& config, TrainingWeights& weights, bool recompute,
                   const FrozenPart& frozen = {});

  /// The last hidden states [tokens, hidden] in compute, in the context's arena, or those of the
  /// tokens `last` alone, [rows, hidden]: heads that look at no others save most of the last layer.
  /// With `keep`, a backward may follow, before which the context and the batch
  /// must not change. `sums` [tokens, embedding] with data stand for the sums of the batch's three
  /// embeddings.
  [[nodiscard]] ops::Matrix forward(ops::Context& context, const Batch& batch,
                                    const DropoutKey& dropout, bool keep,
                                    const TokenSelection& last = {}, ops::ConstMatrix sums = {});

  /// sums [tokens, embedding] f32 = word + position + token type embeddings of the batch, before
  /// the layer norm.
  void embedding_sums(ops::Context& context, const Batch& batch, ops::Matrix sums) const;

  /// Adds the gradients of all parameters that have one, given that of the last hidden states, f32,
  /// of the forward's shape. Gives the gradient of the embeddings' sums [tokens, embedding]: where
  /// `d_hidden` has that shape in its place, else in the context's arena; no matrix where a part is
  /// frozen.
  ops::Matrix backward(ops::Context& context, const Batch& batch, ops::Matrix d_hidden);

  /// Dropout of a pass at a head.
  [[nodiscard]] static ops::Dropout dropout_at(const DropoutKey& key, DropoutSite site,
                                               double probability);

  /// Arithmetic of the matrix products of forward and backward of the batch, recomputation not
  /// counted: forward 2·m·n·k a product, backward twice that.
  [[nodiscard]] double operations(const Batch& batch, const TokenSelection& last = {}) const;

 private:
  [[nodiscard]] nn::LayerDropout dropout_of(std::size_t layer) const;
  [[nodiscard]] bool projects() const { return projection_.weight.data != nullptr; }
  /// The gradient of the projection's input, from that of its output.
  [[nodiscard]] ops::Matrix project_backward(ops::Context& context,
                                             ops::ConstMatrix d_hidden) const;

  BertConfig config_;
  DType compute_;
  bool recompute_;
  FrozenPart frozen_;
  ops::EmbeddingTables tables_;
  ops::EmbeddingGradients table_gradients_;
  nn::TrainableNorm embedding_norm_;
  nn::TrainableLinear projection_;  ///< of embeddings of another width than hidden states; or empty
  std::vector<nn::TrainableLayer> layers_;

  // Of the forward that a backward may follow.
  DropoutKey key_;
  TokenSelection last_;
  ops::SavedNorm saved_embeddings_;
  ops::Matrix embedded_;  ///< what the projection got
  std::vector<nn::SavedLayer> saved_;
  nn::TrainingBuffers buffers_;
};

}  // namespace cloze::internal
