#include "bert/layout.h"

#include <utility>

#include <fmt/format.h>

#include "checkpoint/family.h"

namespace cloze::internal {

LayerShapes layer_shapes(const BertConfig& config, std::int64_t index) {
  const std::int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const std::string layer = fmt::format("bert.encoder.layer.{}.", index);
  const std::string self = layer + "attention.self.";
  return {.query = {self + "query", hidden, hidden},
          .key = {self + "key", hidden, hidden},
          .value = {self + "value", hidden, hidden},
          .attention_output = {layer + "attention.output.dense", hidden, hidden},
          .attention_norm = {layer + "attention.output.LayerNorm", hidden},
          .intermediate = {layer + "intermediate.dense", inner, hidden},
          .output = {layer + "output.dense", hidden, inner},
          .output_norm = {layer + "output.LayerNorm", hidden}};
}

EmbeddingShapes embedding_shapes(const BertConfig& config) {
  const std::int64_t width = config.embedding_width();
  const std::string name = "bert.embeddings.";
  return {.word = {std::string(kWordEmbeddings), config.vocab_size, width},
          .position = {name + "position_embeddings.weight", config.max_position_embeddings, width},
          .token_type = {name + "token_type_embeddings.weight", config.type_vocab_size, width},
          .norm = {name + "LayerNorm", width}};
}

std::optional<LinearShape> projection_shape(const BertConfig& config) {
  const auto width = config.embedding_width();
  if (width == config.hidden_size) return std::nullopt;
  return LinearShape{"bert.embeddings_project", config.hidden_size, width};
}

LinearShape pooler_shape(const BertConfig& config) {
  const bool electra = family_of(config) == Family::electra;
  return {std::string(electra ? kElectraPooler : kBertPooler), config.hidden_size,
          config.hidden_size};
}

LinearShape pre_classifier_shape(const BertConfig& config) {
  return {"pre_classifier", config.hidden_size, config.hidden_size};
}

PredictionShapes prediction_shapes(const BertConfig& config) {
  const std::int64_t width = config.embedding_width();
  const std::string transform = fmt::format("{}.transform.", kPredictions);
  return {.transform = {transform + "dense", width, config.hidden_size},
          .norm = {transform + "LayerNorm", width},
          .decoder = {std::string(kDecoderWeight), config.vocab_size, width}};
}

Activation prediction_activation(const BertConfig& config) {
  return family_of(config) == Family::electra ? Activation::gelu : config.hidden_act;
}

void append(std::vector<ParameterShape>& list, const LinearShape& linear) {
  list.push_back({linear.name + ".weight", {linear.outputs, linear.inputs}});
  list.push_back({linear.name + ".bias", {linear.outputs}});
}

void append(std::vector<ParameterShape>& list, const NormShape& norm) {
  list.push_back({norm.name + ".weight", {norm.size}});
  list.push_back({norm.name + ".bias", {norm.size}});
}

void append(std::vector<ParameterShape>& list, const TableShape& table) {
  list.push_back({table.name, table.shape()});
}

std::vector<ParameterShape> encoder_parameters(const BertConfig& config, bool pooler) {
  std::vector<ParameterShape> list;
  const auto embeddings = embedding_shapes(config);
  append(list, embeddings.word);
  append(list, embeddings.position);
  append(list, embeddings.token_type);
  append(list, embeddings.norm);
  if (const auto projection = projection_shape(config)) append(list, *projection);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const auto layer = layer_shapes(config, i);
    const auto parts = {&layer.query, &layer.key, &layer.value};
    for (const auto* part : parts) {
      list.push_back({part->name + ".weight", {part->outputs, part->inputs}, part != &layer.query});
    }
    for (const auto* part : parts) {
      list.push_back({part->name + ".bias", {part->outputs}, part != &layer.query});
    }
    append(list, layer.attention_output);
    append(list, layer.attention_norm);
    append(list, layer.intermediate);
    append(list, layer.output);
    append(list, layer.output_norm);
  }
  if (pooler) append(list, pooler_shape(config));
  return list;
}

std::int64_t count_elements(const std::vector<ParameterShape>& list) {
  std::int64_t count = 0;
  for (const auto& parameter : list) {
    std::int64_t size = 1;
    for (const auto dim : parameter.shape) size *= dim;
    count += size;
  }
  return count;
}

}  // namespace cloze::internal
