#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bert/head_table.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/export.h"
#include "cloze/hub.h"
#include "cloze/output.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/progress_counter.h"
#include "core/strings.h"
#include "export/heads.h"
#include "export/onnx_bert.h"
#include "export/onnx_sentence.h"
#include "formats/onnx/onnx_file.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr const char *kBatch = "batch_size", *kLength = "sequence_length",
                     *kChoices = "num_choices";
using internal::HeadInput;
using internal::HeadKind;
using internal::HeadLayer;
using internal::HeadUnit;
using internal::LinearShape;

/// A model under construction: its encoder's result, and where its outputs go.
struct Building {
  OnnxBert& bert;
  OnnxInputs inputs;
  OnnxValue hidden_states;
  const fs::path& directory;        ///< as the user named it
  std::span<const HeadKind> heads;  ///< that are known
};

std::vector<std::string> pipelines(std::span<const HeadKind> heads) {
  std::vector<std::string> names;
  for (const auto& head : heads) names.emplace_back(head.pipeline);
  return names;
}

/// Throws ModelError where the checkpoint lacks what a layer is or stands on.
void require_layer(const Building& model, const HeadKind& head, const HeadLayer& layer) {
  const auto about = internal::about_layer(head, layer);
  const auto tensor = internal::key_tensor(layer);
  if (!model.bert.has(tensor)) {
    throw ModelError(fmt::format(
        "{} has no {} head ({} is not among its tensors): choose a checkpoint that has one, "
        "or the task feature-extraction for the encoder alone",
        model.directory.string(), about,
        internal::stored_name(tensor, head, internal::family_of(model.bert.config()))));
  }
  if (layer.input == HeadInput::pooled && !model.bert.can_pool()) {
    std::string task(head.pipeline);
    std::replace(task.begin(), task.end(), '-', ' ');
    throw ModelError(fmt::format(
        "{} has no pooler ({} is not among its tensors), which {} needs", model.directory.string(),
        internal::stored_name(internal::pooler_shape(model.bert.config()).name, head,
                              internal::family_of(model.bert.config())),
        task));
  }
}

/// The layer with as many outputs as the checkpoint has, which must be what the table and the
/// configuration say.
LinearShape found_shape(const Building& model, const HeadKind& head, const HeadLayer& layer) {
  const auto& config = model.bert.config();
  auto shape = internal::linear_shape(layer, config);
  const auto wanted = std::exchange(shape.outputs, model.bert.outputs_of(shape.name));
  if (wanted < 0 || wanted == shape.outputs) return shape;
  if (layer.outputs == internal::kLabels) {
    throw ModelError(fmt::format("{}: {}.weight has {} rows, but config.json names {} labels",
                                 model.directory.string(), layer.name, shape.outputs, wanted));
  }
  std::vector<std::string_view> others;
  for (const auto& other : model.heads) {
    const auto layers = other.layers();
    if (layers.size() == 1 && layers[0].name == layer.name && layers[0] != layer) {
      others.push_back(other.pipeline);
    }
  }
  throw ModelError(fmt::format(
      "{}: {}.weight has {} rows, and a {} head has {}{}", model.directory.string(), layer.name,
      shape.outputs, head.about, wanted == 1 ? "one" : std::to_string(wanted),
      others.empty() ? "" : fmt::format(": choose the task {}", fmt::join(others, " or "))));
}

void features(const Building& model) {
  auto& bert = model.bert;
  const auto hidden = bert.config().hidden_size;
  const bool pooler = bert.has_pooler();
  const auto pooled_output = pooler ? bert.pool(model.hidden_states) : OnnxValue();
  bert.graph().output(model.hidden_states, "last_hidden_state", {kBatch, kLength, hidden});
  if (pooler) bert.graph().output(pooled_output, "pooler_output", {kBatch, hidden});
}

void sentences(const Building& model) {
  const auto settings = sentence_settings(model.directory);
  if (!settings) {
    throw ModelError(fmt::format(
        "{} has no modules.json, so it does not say how a sentence's vector is made: the task {} "
        "gives the vectors of its tokens",
        model.directory.string(), internal::heads::encoder.pipeline));
  }
  if (!settings->include_prompt && !settings->prompts.prompts.empty()) {
    throw ModelError(
        fmt::format("{} leaves its prompt's tokens out of the pooling (\"include_prompt\": false), "
                    "and the graph "
                    "cannot tell them from others: the task {} gives the vectors of the tokens",
                    model.directory.string(), internal::heads::encoder.pipeline));
  }
  auto& graph = model.bert.graph();
  const auto hidden = model.bert.config().hidden_size;
  const auto sentence =
      embed_sentences(graph, model.hidden_states, model.inputs.attention_mask, hidden, *settings);
  graph.output(model.hidden_states, "token_embeddings", {kBatch, kLength, hidden});
  graph.output(sentence.value, "sentence_embedding", {kBatch, sentence.width});
}

OnnxValue layer_logits(const Building& model, const HeadKind& head, const HeadLayer& layer) {
  require_layer(model, head, layer);
  auto& bert = model.bert;
  switch (layer.input) {
    case HeadInput::masked:
      return bert.predict_tokens(model.hidden_states);
    case HeadInput::tokens:
      return bert.linear(model.hidden_states, found_shape(model, head, layer));
    case HeadInput::pooled: {
      const auto shape = found_shape(model, head, layer);
      return bert.linear(bert.pool(model.hidden_states), shape);
    }
    case HeadInput::transformed: {
      const auto transform = internal::transform_shape(layer, bert.config());
      const auto features =
          onnx_activation(bert.graph(), bert.linear(model.hidden_states, transform),
                          bert.config().hidden_act, transform.name);
      return bert.linear(features, found_shape(model, head, layer));
    }
  }
  throw ArgumentError("not an input of a head");
}

/// Gives the logits of a layer to whoever runs the graph.
void output_logits(const Building& model, const HeadKind& head, const HeadLayer& layer,
                   const OnnxValue& logits) {
  auto& graph = model.bert.graph();
  const auto& config = model.bert.config();
  const auto outputs = layer.input == HeadInput::masked
                           ? config.vocab_size
                           : model.bert.outputs_of(internal::linear_shape(layer, config).name);
  const bool pooled = layer.input == HeadInput::pooled;
  const std::string name(layer.output_names[0]);
  if (head.unit == HeadUnit::choice) {
    // Each question's choices side by side: [B, choices] of what is computed for B · choices rows.
    const auto shape = graph.node("Shape", {"input_ids"}, "choices", {{"end", std::int64_t{2}}});
    graph.output(graph.node("Reshape", {logits, shape}, "choices"), name, {kBatch, kChoices});
    return;
  }
  if (layer.input == HeadInput::transformed) {  // a number a token: transformers' discriminator
    const auto flat = graph.node("Gather", {logits, graph.integer("zero", 0)},
                                 std::string(layer.name), {{"axis", std::int64_t{2}}});
    graph.output(flat, name, {kBatch, kLength});
    return;
  }
  if (layer.output_names[1].empty()) {
    if (pooled) graph.output(logits, name, {kBatch, outputs});
    if (!pooled) graph.output(logits, name, {kBatch, kLength, outputs});
    return;
  }
  const std::int64_t axis = pooled ? 1 : 2;
  for (std::int64_t column = 0; column < 2; ++column) {
    const auto index = graph.integer(column == 0 ? "zero" : "one_i", column);
    const auto value =
        graph.node("Gather", {logits, index}, std::string(layer.name), {{"axis", axis}});
    const std::string own(layer.output_names.at(static_cast<std::size_t>(column)));
    if (pooled) graph.output(value, own, {kBatch});
    if (!pooled) graph.output(value, own, {kBatch, kLength});
  }
}

void build(const Building& model, const HeadKind& head) {
  if (head.unit == HeadUnit::pair) return sentences(model);
  if (head.layers().empty()) return features(model);
  std::vector<OnnxValue> logits;
  for (const auto& layer : head.layers()) logits.push_back(layer_logits(model, head, layer));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    output_logits(model, head, head.layers()[i], logits[i]);
  }
}

/// The head that the user named by its task, or that the model is made for.
const HeadKind& choose_head(const std::string& wanted, const fs::path& directory,
                            const BertConfig& config, const ModelNames& names,
                            std::span<const HeadKind> heads) {
  if (!wanted.empty()) {
    const auto named = std::find_if(heads.begin(), heads.end(),
                                    [&](const HeadKind& head) { return head.pipeline == wanted; });
    if (named != heads.end()) return *named;
    throw ArgumentError(fmt::format("there is no task {} to export: it is one of {}",
                                    in_quotes(wanted), fmt::join(pipelines(heads), ", ")));
  }
  if (files::exists(directory / "modules.json") ||
      internal::family_of(config) == internal::Family::dpr) {
    return internal::heads::sentence_embedding;
  }
  const auto stated = std::find_if(heads.begin(), heads.end(), [&](const HeadKind& head) {
    return internal::states(config, head);
  });
  return stated != heads.end() ? *stated : internal::class_of(names, config, heads);
}

/// The inputs, as the encoder takes them: a question's choices are rows like any other.
OnnxInputs add_inputs(OnnxGraph& graph, bool token_types, bool choices) {
  std::optional<OnnxValue> rows;
  const auto add = [&](const std::string& name) -> OnnxValue {
    if (!choices) return graph.input(name, {kBatch, kLength});
    graph.input(name, {kBatch, kChoices, kLength});
    if (!rows) {
      const auto length = graph.node("Shape", {name}, "rows",
                                     {{"start", std::int64_t{2}}, {"end", std::int64_t{3}}});
      rows = graph.node("Concat", {graph.integers("as_many", {-1}), length}, "rows",
                        {{"axis", std::int64_t{0}}});
    }
    return graph.node("Reshape", {name, *rows}, name);
  };
  OnnxInputs inputs;
  inputs.input_ids = add("input_ids");
  inputs.attention_mask = add("attention_mask");
  if (token_types) inputs.token_type_ids = add("token_type_ids");
  return inputs;
}

}  // namespace

std::vector<std::string> onnx_tasks() { return pipelines(internal::kHeads); }

ExportedModel export_onnx(const std::string& directory_or_name, const fs::path& path,
                          const ExportOptions& options, const ProgressCallback& progress) {
  return internal::export_onnx(directory_or_name, path, options, internal::kHeads, progress);
}

ExportedModel internal::export_onnx(const std::string& directory_or_name, const fs::path& path,
                                    const ExportOptions& options, std::span<const HeadKind> heads,
                                    const ProgressCallback& progress) {
  const auto directory = find_model(directory_or_name, progress);
  const auto transformer = transformer_directory(directory);
  for (const auto& read : {directory, transformer}) {
    for (const auto* end : {"", ".data"}) require_no_input(path.string() + end, model_files(read));
  }
  const auto config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const auto& head = choose_head(options.task, directory, config, ModelNames(checkpoint), heads);

  OnnxGraph graph{std::string(head.pipeline)};
  OnnxBert bert(graph, config, std::make_shared<internal::CheckpointWeights>(checkpoint));
  const auto inputs =
      add_inputs(graph, config.model_type != "distilbert", head.unit == HeadUnit::choice);
  const auto hidden_states = bert.encode(inputs);
  build({bert, inputs, hidden_states, directory, heads}, head);

  ExportedModel exported{.task = std::string(head.pipeline),
                         .inputs = graph.inputs(),
                         .outputs = graph.outputs(),
                         .nodes = graph.nodes(),
                         .weights = static_cast<std::int64_t>(graph.weights().size())};
  ProgressCounter counter(progress, "exporting", exported.weights, "weights");
  const auto file = write_onnx(graph, path,
                               {.external_data = options.external_data,
                                .max_file_bytes = options.max_file_bytes,
                                .on_weight = [&] { counter.advance(); }});
  exported.bytes = file.bytes;
  exported.data_file = file.data_file;
  return exported;
}

}  // namespace cloze
