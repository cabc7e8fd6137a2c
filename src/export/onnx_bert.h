/// \file
/// BERT as an ONNX graph: what bert/ computes, in ONNX's operators on padded batches.
///
/// B sequences of L tokens; every L-sized thing is padded on the right where attention_mask is 0.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bert/encoder.h"
#include "bert/layout.h"
#include "bert/weights.h"
#include "cloze/config.h"
#include "formats/onnx/onnx_graph.h"

namespace cloze {

/// What the encoder reads, int64 [B, L]. DistilBERT has no token types: then they are empty.
struct OnnxInputs {
  OnnxValue input_ids, attention_mask, token_type_ids;
};

/// The layers of a model, each a few operators. Weights have the names of the checkpoint; matrices
/// that ONNX wants the other way round are stored so, as NAME.transposed.
class OnnxBert {
 public:
  OnnxBert(OnnxGraph& graph, BertConfig config,
           std::shared_ptr<internal::CheckpointWeights> weights);

  [[nodiscard]] OnnxGraph& graph() { return *graph_; }
  [[nodiscard]] const BertConfig& config() const { return config_; }
  [[nodiscard]] bool has(const std::string& tensor) const { return weights_->contains(tensor); }

  /// Of `name.weight`, [outputs, hidden]; the shape is as the checkpoint states it.
  [[nodiscard]] std::int64_t outputs_of(const std::string& name) const;

  /// x·Wᵀ + b: [..., inputs] → [..., outputs].
  OnnxValue linear(const OnnxValue& x, const internal::LinearShape& shape);
  OnnxValue layer_norm(const OnnxValue& x, const internal::NormShape& shape);

  /// The last hidden state, [B, L, hidden].
  OnnxValue encode(const OnnxInputs& inputs);

  /// What classifiers stand on, [B, hidden]: BERT's pooler, tanh(W·h[CLS] + b), DistilBERT's
  /// pre_classifier, relu(W·h[CLS] + b), or ELECTRA's, gelu(W·h[CLS] + b). The model must have one
  /// of them.
  OnnxValue pool(const OnnxValue& hidden_states);
  [[nodiscard]] bool has_pooler() const {
    return has(std::string(internal::kBertPooler) + ".weight");
  }
  [[nodiscard]] bool can_pool() const {
    return internal::pooler_in(*weights_, config_).has_value();
  }

  /// The masked-LM head: [B, L, hidden] → [B, L, vocab].
  OnnxValue predict_tokens(const OnnxValue& hidden_states);

 private:
  OnnxValue weight(const std::string& name, const Shape& shape);
  OnnxValue embed(const OnnxInputs& inputs);
  OnnxValue attend(const OnnxValue& hidden_states, const OnnxValue& mask,
                   const internal::LayerShapes& layer, const std::string& name);
  OnnxValue encoder_layer(const OnnxValue& hidden_states, const OnnxValue& mask,
                          std::int64_t index);

  OnnxGraph* graph_;
  BertConfig config_;
  std::shared_ptr<internal::CheckpointWeights> weights_;
};

/// A configuration's non-linearity.
OnnxValue onnx_activation(OnnxGraph& graph, const OnnxValue& x, Activation activation,
                          const std::string& place);

/// f32 [columns, rows] of `matrix` [rows, columns] of any floating-point type.
[[nodiscard]] Tensor transposed(const Tensor& matrix);

}  // namespace cloze
