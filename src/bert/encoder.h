/// \file
/// The encoder that every head stands on: embeddings, layers, pooler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bert/context_pool.h"
#include "bert/embeddings.h"
#include "bert/encoder_layer.h"
#include "bert/token_selection.h"
#include "bert/weights.h"
#include "cloze/bert.h"
#include "ops/device.h"

namespace cloze::internal {

class BertEncoder {
 public:
  /// Builds the encoder from `weights`, to compute on `device`, which must outlive it. Throws
  /// ModelError as WeightSource does.
  BertEncoder(BertConfig config, WeightSource& weights, const LoadOptions& options,
              const ops::Device& device = ops::cpu());

  /// What a head does with the encoder's result while its working memory is borrowed.
  /// hidden_states [selected tokens, hidden] is of `compute()`.
  using Consumer = std::function<void(ops::Context&, ops::Matrix hidden_states)>;

  /// Encodes the batch and hands the last hidden states of the tokens `last` (heads look at some
  /// alone) to `consume`. Where `options` ask for hidden states or attentions, all tokens must be
  /// selected, and `output` receives them.
  void run(const Batch& batch, const ForwardOptions& options, BertOutput* output,
           const TokenSelection& last, const Consumer& consume) const;

  /// tanh(W·h[CLS] + b) of each sequence, f32 [sequences, hidden] in the context's arena; of a
  /// DistilBERT classifier relu(W·h[CLS] + b), its `pre_classifier`; of an ELECTRA classifier
  /// gelu(W·h[CLS] + b), its `dense`. Throws ModelError without any.
  /// `starts`: where in the hidden states those of first tokens stand.
  [[nodiscard]] ops::Matrix pool(ops::Context& context, ops::ConstMatrix hidden_states,
                                 std::span<const std::int32_t> starts) const;

  /// Working memory for a head that runs on hidden states of its own.
  [[nodiscard]] ContextPool::Lease borrow() const { return contexts_.borrow(); }

  [[nodiscard]] const BertConfig& config() const { return config_; }
  /// Whether classifiers have something to stand on.
  [[nodiscard]] bool has_pooler() const { return !pooler_.empty(); }
  /// Whether that is BERT's own pooler, part of the model and not of a head.
  [[nodiscard]] bool has_bert_pooler() const { return bert_pooler_; }
  [[nodiscard]] Precision precision() const { return precision_; }
  /// What activations are stored in.
  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] std::int64_t num_parameters() const { return num_parameters_; }
  [[nodiscard]] const ops::Device& device() const { return device_; }
  /// In the host's memory, [vocab, BertConfig::embedding_width()].
  [[nodiscard]] const Tensor& word_embeddings() const { return word_embeddings_; }

 private:
  BertConfig config_;
  const ops::Device& device_;
  Precision precision_;
  DType compute_;
  Tensor word_embeddings_;
  std::function<void()> watch_;   ///< throws once the file that the tables lie in has changed
  nn::Embeddings embeddings_;     ///< in the device's memory
  ops::LinearWeight projection_;  ///< of embeddings that are not as wide as hidden states; or empty
  std::vector<nn::EncoderLayer> layers_;
  ops::LinearWeight pooler_;  ///< f32, whatever the encoder computes in
  ops::Epilogue pooler_activation_ = ops::Epilogue::tanh;
  bool bert_pooler_ = false;  ///< it is BERT's own, not a layer of a classifier
  std::int64_t num_parameters_ = 0;
  mutable ContextPool contexts_;
};

/// What a classifier of whole sequences stands on.
struct Pooler {
  LinearShape shape;
  ops::Epilogue activation = ops::Epilogue::tanh;
};
/// The configuration's own, pooler_shape: BERT's, or the layer that ELECTRA's classifiers have.
[[nodiscard]] Pooler own_pooler(const BertConfig& config);
/// The pooler that the weights have: own_pooler, else DistilBERT's `pre_classifier`, else none.
[[nodiscard]] std::optional<Pooler> pooler_in(const WeightSource& weights,
                                              const BertConfig& config);

/// `wanted`, or what Precision::best is on the device: the faster of f32 and bf16.
[[nodiscard]] Precision resolve_on(const ops::Device& device, Precision wanted);

/// Throws ArgumentError for a batch that a model of this configuration cannot read: which token,
/// and why.
void check_batch(const Batch& batch, const BertConfig& config);

/// The linear epilogue that a configuration's activation is.
[[nodiscard]] ops::Epilogue epilogue_of(Activation activation);

/// A new f32 tensor of the matrix's values.
[[nodiscard]] Tensor to_tensor(ops::Context& context, ops::ConstMatrix matrix);

}  // namespace cloze::internal
