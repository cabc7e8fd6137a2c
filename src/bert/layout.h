/// \file
/// The tensors of a BERT: their names, as transformers writes them, and their shapes. This is the
/// one list: inference, training, conversion and export take names and shapes from here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/config.h"
#include "cloze/tensor.h"

namespace cloze::internal {

/// Name and shape of a tensor.
struct ParameterShape {
  std::string name;
  Shape shape;
  /// Begins where the one before ends, so that both can be looked at as one: query, key and value.
  bool adjoining = false;
};

/// A linear layer: `NAME.weight` [outputs, inputs] and `NAME.bias` [outputs]. A negative number of
/// outputs means: as many as the checkpoint has.
struct LinearShape {
  std::string name;
  std::int64_t outputs = 0, inputs = 0;
};

/// A layer norm: `NAME.weight` and `NAME.bias`, [size].
struct NormShape {
  std::string name;
  std::int64_t size = 0;
};

/// A matrix on its own: the tensor NAME [rows, columns].
struct TableShape {
  std::string name;
  std::int64_t rows = 0, columns = 0;
  [[nodiscard]] Shape shape() const { return {rows, columns}; }
};

/// `bert.encoder.layer.N`.
struct LayerShapes {
  LinearShape query, key, value;  ///< attention.self.query, ...: one product of three
  LinearShape attention_output;   ///< attention.output.dense
  NormShape attention_norm;       ///< attention.output.LayerNorm
  LinearShape intermediate;       ///< intermediate.dense: hidden -> intermediate
  LinearShape output;             ///< output.dense: intermediate -> hidden
  NormShape output_norm;          ///< output.LayerNorm
};
/// Of layer `index` from 0.
[[nodiscard]] LayerShapes layer_shapes(const BertConfig& config, std::int64_t index);

/// `bert.embeddings`, as wide as BertConfig::embedding_width().
struct EmbeddingShapes {
  TableShape word, position, token_type;
  NormShape norm;
};
[[nodiscard]] EmbeddingShapes embedding_shapes(const BertConfig& config);

/// `embeddings_project` of an ELECTRA whose embeddings are not as wide as its hidden states:
/// embedding -> hidden; nothing where they are.
[[nodiscard]] std::optional<LinearShape> projection_shape(const BertConfig& config);

/// What stands between a sequence's first token and a classifier: BERT's own pooler, which is part
/// of the model (tanh follows), or `sequence_summary.summary`, the layer that ELECTRA's classifiers
/// have instead (gelu follows).
[[nodiscard]] LinearShape pooler_shape(const BertConfig& config);
/// The layer that DistilBERT's classifiers have instead of a pooler; relu follows.
[[nodiscard]] LinearShape pre_classifier_shape(const BertConfig& config);

/// The masked-LM head, `cls.predictions`: a linear layer, prediction_activation, a layer norm, and
/// the decoder, embedding -> vocabulary. ELECTRA calls it `generator_predictions` and
/// `generator_lm_head`.
struct PredictionShapes {
  LinearShape transform;  ///< transform.dense: hidden -> embedding
  NormShape norm;         ///< transform.LayerNorm
  TableShape decoder;     ///< decoder.weight, where it is not the word embeddings (tied)
};
[[nodiscard]] PredictionShapes prediction_shapes(const BertConfig& config);

/// The activation of the masked-LM head: the configuration's; ELECTRA's generator has gelu whatever
/// that is.
[[nodiscard]] Activation prediction_activation(const BertConfig& config);

inline constexpr std::string_view kWordEmbeddings = "bert.embeddings.word_embeddings.weight";
inline constexpr std::string_view kBertPooler = "bert.pooler.dense";
inline constexpr std::string_view kElectraPooler = "sequence_summary.summary";
/// DPR's projection of the first token's hidden state, [projection_dim, hidden].
inline constexpr std::string_view kDprProjection = "encode_proj";
inline constexpr std::string_view kDiscriminator = "discriminator_predictions";
inline constexpr std::string_view kPredictions = "cls.predictions";
inline constexpr std::string_view kDecoderWeight = "cls.predictions.decoder.weight";
/// The decoder's bias [vocab] has two names: of transformers 5, and of transformers 4 and Google.
inline constexpr std::string_view kDecoderBias = "cls.predictions.decoder.bias";
inline constexpr std::string_view kPredictionBias = "cls.predictions.bias";

void append(std::vector<ParameterShape>& list, const LinearShape& linear);
void append(std::vector<ParameterShape>& list, const NormShape& norm);
void append(std::vector<ParameterShape>& list, const TableShape& table);

/// All tensors of the encoder (`bert.embeddings`, `bert.encoder`), and of pooler_shape if wanted.
[[nodiscard]] std::vector<ParameterShape> encoder_parameters(const BertConfig& config, bool pooler);

/// The sum of their elements.
[[nodiscard]] std::int64_t count_elements(const std::vector<ParameterShape>& list);

}  // namespace cloze::internal
