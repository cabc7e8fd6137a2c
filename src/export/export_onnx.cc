#include "export/export_onnx.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "checkpoint/model_head.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/files.h"
#include "export/onnx_bert.h"
#include "export/onnx_sentence.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr const char *kBatch = "batch_size", *kLength = "sequence_length",
                     *kChoices = "num_choices";
constexpr std::string_view kSentences = "sentence-similarity", kFeatures = "feature-extraction";

/// A model under construction: its encoder's result, and where its outputs go.
struct Building {
  OnnxBert& bert;
  OnnxInputs inputs;
  OnnxValue hidden_states;
  const fs::path& directory;  ///< as the user named it
};

void require(const Building& model, const std::string& tensor, std::string_view what) {
  if (model.bert.has(tensor)) return;
  throw ModelError(
      fmt::format("{} has no {} ({} is not among its tensors): choose a checkpoint that has one, "
                  "or --task feature-extraction for the encoder alone",
                  model.directory.string(), what, tensor));
}

/// What classifiers of a whole sequence stand on.
OnnxValue pooled(const Building& model, std::string_view what) {
  if (!model.bert.can_pool()) {
    throw ModelError(
        fmt::format("{} has no pooler (bert.pooler.dense is not among its tensors), which {} needs",
                    model.directory.string(), what));
  }
  return model.bert.pool(model.hidden_states);
}

/// Outputs of a classifier: those that it has, which must be as many as the configuration's labels
/// where it states some.
std::int64_t labels(const Building& model) {
  const auto found = model.bert.outputs_of("classifier");
  const auto& config = model.bert.config();
  if (!config.id2label.empty() && found != config.num_labels()) {
    throw ModelError(
        fmt::format("{}: classifier.weight has {} rows, but config.json names {} labels",
                    model.directory.string(), found, config.num_labels()));
  }
  return found;
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
        model.directory.string(), kFeatures));
  }
  auto& graph = model.bert.graph();
  const auto hidden = model.bert.config().hidden_size;
  const auto sentence =
      embed_sentences(graph, model.hidden_states, model.inputs.attention_mask, hidden, *settings);
  graph.output(model.hidden_states, "token_embeddings", {kBatch, kLength, hidden});
  graph.output(sentence.value, "sentence_embedding", {kBatch, sentence.width});
}

OnnxValue masked_tokens(const Building& model) {
  require(model, "cls.predictions.transform.dense.weight", "masked language model head");
  return model.bert.predict_tokens(model.hidden_states);
}

OnnxValue next_sentence(const Building& model) {
  constexpr auto head = "cls.seq_relationship";
  require(model, fmt::format("{}.weight", head), "next sentence head");
  return model.bert.linear(pooled(model, "next sentence prediction"), head, 2,
                           model.bert.config().hidden_size);
}

void fill_mask(const Building& model) {
  model.bert.graph().output(masked_tokens(model), "logits",
                            {kBatch, kLength, model.bert.config().vocab_size});
}

void next_sentence_prediction(const Building& model) {
  model.bert.graph().output(next_sentence(model), "logits", {kBatch, 2});
}

void pretraining(const Building& model) {
  const auto tokens = masked_tokens(model), next = next_sentence(model);
  auto& graph = model.bert.graph();
  graph.output(tokens, "prediction_logits", {kBatch, kLength, model.bert.config().vocab_size});
  graph.output(next, "seq_relationship_logits", {kBatch, 2});
}

void text_classification(const Building& model) {
  require(model, "classifier.weight", "classification head");
  const auto count = labels(model);
  const auto logits = model.bert.linear(pooled(model, "text classification"), "classifier", count,
                                        model.bert.config().hidden_size);
  model.bert.graph().output(logits, "logits", {kBatch, count});
}

void token_classification(const Building& model) {
  require(model, "classifier.weight", "classification head");
  const auto count = labels(model);
  const auto logits =
      model.bert.linear(model.hidden_states, "classifier", count, model.bert.config().hidden_size);
  model.bert.graph().output(logits, "logits", {kBatch, kLength, count});
}

void question_answering(const Building& model) {
  constexpr auto head = "qa_outputs";
  require(model, fmt::format("{}.weight", head), "question answering head");
  auto& graph = model.bert.graph();
  const auto both =
      model.bert.linear(model.hidden_states, head, 2, model.bert.config().hidden_size);
  const auto column = [&](const char* name, std::int64_t index) {
    const auto value =
        graph.node("Gather", {both, graph.integer(index == 0 ? "zero" : "one_i", index)}, head,
                   {{"axis", std::int64_t{2}}});
    graph.output(value, name, {kBatch, kLength});
  };
  column("start_logits", 0);
  column("end_logits", 1);
}

/// Each question's choices side by side: [B, choices] of what is computed for B · choices rows.
void multiple_choice(const Building& model) {
  require(model, "classifier.weight", "multiple choice head");
  if (const auto outputs = model.bert.outputs_of("classifier"); outputs != 1) {
    throw ModelError(
        fmt::format("{}: classifier.weight has {} rows, and a multiple choice head has one: choose "
                    "--task text-classification or token-classification",
                    model.directory.string(), outputs));
  }
  auto& graph = model.bert.graph();
  const auto scores = model.bert.linear(pooled(model, "multiple choice"), "classifier", 1,
                                        model.bert.config().hidden_size);
  const auto shape = graph.node("Shape", {"input_ids"}, "choices", {{"end", std::int64_t{2}}});
  graph.output(graph.node("Reshape", {scores, shape}, "choices"), "logits", {kBatch, kChoices});
}

struct Task {
  std::string_view name;
  std::string_view head;  ///< transformers' class without its family; empty: none
  void (*build)(const Building& model);
};

constexpr std::array kTasks{
    Task{kFeatures, "Model", features},
    Task{kSentences, "", sentences},
    Task{"fill-mask", "ForMaskedLM", fill_mask},
    Task{"next-sentence-prediction", "ForNextSentencePrediction", next_sentence_prediction},
    Task{"pretraining", "ForPreTraining", pretraining},
    Task{"text-classification", "ForSequenceClassification", text_classification},
    Task{"token-classification", "ForTokenClassification", token_classification},
    Task{"question-answering", "ForQuestionAnswering", question_answering},
    Task{"multiple-choice", "ForMultipleChoice", multiple_choice}};

const Task* find_task(std::string_view Task::*member, std::string_view value) {
  for (const auto& task : kTasks) {
    if (task.*member == value) return &task;
  }
  return nullptr;
}

/// The task that the user named, or that the model is made for.
const Task& choose_task(const std::string& wanted, const fs::path& directory,
                        const BertConfig& config, const ModelNames& names) {
  if (!wanted.empty()) {
    if (const auto* task = find_task(&Task::name, wanted)) return *task;
    throw ArgumentError(fmt::format("there is no task \"{}\" to export: it is one of {}", wanted,
                                    fmt::join(onnx_tasks(), ", ")));
  }
  if (files::exists(directory / "modules.json")) return *find_task(&Task::name, kSentences);
  for (std::string_view architecture : config.architectures) {
    for (const std::string_view family : {"DistilBert", "Bert"}) {
      if (!architecture.starts_with(family)) continue;
      if (const auto* task = find_task(&Task::head, architecture.substr(family.size()))) {
        return *task;
      }
    }
  }
  return *find_task(&Task::head, head_of(names, config));
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

std::vector<std::string> onnx_tasks() {
  std::vector<std::string> names;
  names.reserve(kTasks.size());
  for (const auto& task : kTasks) names.emplace_back(task.name);
  return names;
}

ExportedModel export_onnx(const fs::path& directory, const fs::path& path,
                          const ExportOptions& options,
                          const std::function<void(std::int64_t weights)>& announce) {
  const auto transformer = transformer_directory(directory);
  const auto config = BertConfig::from_pretrained(transformer);
  const auto checkpoint = Checkpoint::open(transformer);
  const auto& task = choose_task(options.task, directory, config, ModelNames(checkpoint));

  OnnxGraph graph{std::string(task.name)};
  OnnxBert bert(graph, config, std::make_shared<internal::CheckpointWeights>(checkpoint));
  const auto inputs =
      add_inputs(graph, config.model_type != "distilbert", task.head == "ForMultipleChoice");
  const auto hidden_states = bert.encode(inputs);
  task.build({bert, inputs, hidden_states, directory});

  ExportedModel exported{.task = std::string(task.name),
                         .inputs = graph.inputs(),
                         .outputs = graph.outputs(),
                         .nodes = graph.nodes(),
                         .weights = static_cast<std::int64_t>(graph.weights().size())};
  if (announce) announce(exported.weights);
  const auto file = write_onnx(graph, path, options.file);
  exported.bytes = file.bytes;
  exported.data_file = file.data_file;
  return exported;
}

}  // namespace cloze
