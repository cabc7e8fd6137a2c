/// \file
/// The tensors of a BERT: their names, as transformers writes them, and their shapes. This is the
/// one list: inference, training, conversion and export take names and shapes from here.
#pragma once

#include <cstdint>
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

/// `bert.embeddings`.
struct EmbeddingShapes {
  TableShape word, position, token_type;
  NormShape norm;
};
[[nodiscard]] EmbeddingShapes embedding_shapes(const BertConfig& config);

/// What stands between a sequence's first token and a classifier: BERT's own pooler, which is part
/// of the model, and the layer that DistilBERT's classifiers have instead.
[[nodiscard]] LinearShape pooler_shape(const BertConfig& config);          ///< tanh follows
[[nodiscard]] LinearShape pre_classifier_shape(const BertConfig& config);  ///< relu follows

/// The masked-LM head, `cls.predictions`: a linear layer, the configuration's activation, a layer
/// norm, and the decoder, hidden -> vocabulary.
struct PredictionShapes {
  LinearShape transform;  ///< transform.dense
  NormShape norm;         ///< transform.LayerNorm
  TableShape decoder;     ///< decoder.weight, where it is not the word embeddings (tied)
};
[[nodiscard]] PredictionShapes prediction_shapes(const BertConfig& config);

inline constexpr std::string_view kWordEmbeddings = "bert.embeddings.word_embeddings.weight";
inline constexpr std::string_view kPredictions = "cls.predictions";
inline constexpr std::string_view kDecoderWeight = "cls.predictions.decoder.weight";
/// The decoder's bias [vocab] has two names: of transformers 5, and of transformers 4 and Google.
inline constexpr std::string_view kDecoderBias = "cls.predictions.decoder.bias";
inline constexpr std::string_view kPredictionBias = "cls.predictions.bias";

void append(std::vector<ParameterShape>& list, const LinearShape& linear);
void append(std::vector<ParameterShape>& list, const NormShape& norm);
void append(std::vector<ParameterShape>& list, const TableShape& table);

/// All tensors of the encoder (`bert.embeddings`, `bert.encoder`), and of the pooler if wanted.
[[nodiscard]] std::vector<ParameterShape> encoder_parameters(const BertConfig& config, bool pooler);

/// The sum of their elements.
[[nodiscard]] std::int64_t count_elements(const std::vector<ParameterShape>& list);

}  // namespace cloze::internal
