// `finetune`: what a run starts from, its task, its data and its model, then the loop.
#include "cloze/finetune.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bert/training/task_model.h"
#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/hub.h"
#include "cloze/model_sizes.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"
#include "sentence/kept_settings.h"
#include "sentence/lower_case.h"
#include "sentence/text_settings.h"
#include "tasks/task.h"
#include "train/finetune/finetune_objective.h"
#include "train/finetune/finetune_settings.h"
#include "train/finetune/task_data.h"
#include "train/run/run_directory.h"
#include "train/run/run_setup.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// Both splits.
struct Sources {
  DataSource train;
  std::optional<DataSource> dev;
};

/// What a run starts from: a model's directory, or nothing but a size and a vocabulary.
struct Start {
  fs::path directory;  ///< empty: random weights
  Tokenizer tokenizer;
  BertConfig config;
  std::string model_settings{};  ///< FinetuneInputs::model_settings
  std::string prompt{};          ///< of sentence embedding, the one that the model has by default
  std::vector<std::string> left_out{};  ///< left_out_of_training
  bool resumed = false;                 ///< the directory is a checkpoint of this run
};

/// The model at `root`, whose transformer may lie below.
Start start_at(const fs::path& root, std::string_view task) {
  const auto directory = transformer_directory(root);
  Start start{directory, Tokenizer::from_pretrained(directory),
              BertConfig::from_pretrained(directory), kept_model_settings(root, task)};
  keep_activation(start.model_settings, (root / "config_sentence_transformers.json").string(),
                  start.config);
  // What sentence vectors are made of is read as sentence-transformers reads it.
  if (task == "sentence-embedding") {
    const auto settings = text_settings(root);
    start.prompt = settings.prompts.resolve({}, {});
    if (settings.do_lower_case) start.tokenizer = lower_cased(start.tokenizer);
  }
  return start;
}

Start start_of(const FinetuneSettings& settings, const ProgressCallback& progress,
               const std::optional<fs::path>& checkpoint) {
  if (checkpoint) {
    auto start = start_at(*checkpoint, settings.task);
    start.resumed = true;
    return start;
  }
  Start start = [&]() -> Start {
    if (settings.size.empty()) {
      const auto root = find_model(settings.model, progress);
      auto found = start_at(root, settings.task);
      found.left_out = left_out_of_training(root, settings.task);
      return found;
    }
    auto config = named_config(settings.size);
    auto tokenizer = internal::tokenizer_of_vocabulary(settings.vocab, settings.cased);
    config.vocab_size = tokenizer.vocab_size();
    return {{}, std::move(tokenizer), config};
  }();
  if (settings.dropout) {
    start.config.hidden_dropout_prob = start.config.attention_probs_dropout_prob =
        *settings.dropout;
  }
  if (settings.classifier_dropout) start.config.classifier_dropout = settings.classifier_dropout;
  return start;
}

/// Whether the model was trained with such a head and its labels are the task's.
bool has_head(const Start& start, const Task& task, const FinetuneSettings& settings) {
  if (start.resumed) return true;
  const auto& names = start.config.architectures;
  const auto head = internal::architecture_of(task.head(), internal::trained_family(start.config));
  return !settings.new_head && std::find(names.begin(), names.end(), head) != names.end();
}

/// The task with the labels of the model's head, or with those that its training data will have.
struct ChosenTask {
  std::unique_ptr<Task> task;
  bool trained = false;
};

ChosenTask task_of(const Start& start, const FinetuneSettings& settings) {
  const auto make = [&](bool trained) {
    return make_task(settings.task, start.tokenizer, start.config, settings.data, trained,
                     start.prompt);
  };
  ChosenTask chosen{make(false)};
  chosen.trained = has_head(start, *chosen.task, settings);
  if (chosen.trained) chosen.task = make(true);
  return chosen;
}

std::unique_ptr<TaskData> read_train(const ChosenTask& chosen, const DataSource& source,
                                     bool resumed) {
  try {
    return chosen.task->read_train(source);
  } catch (const FormatError& error) {
    if (!chosen.trained || resumed) throw;
    throw FormatError(fmt::format("{} (a new head learns the labels of the file)", error.what()));
  }
}

/// The dev set, read by a task that has the labels of the training data.
std::unique_ptr<TaskData> read_dev(const Start& start, const FinetuneSettings& settings,
                                   const Sources& sources) {
  if (!sources.dev) return nullptr;
  auto options = settings.data;
  options.max_samples = settings.max_dev_samples;
  return make_task(settings.task, start.tokenizer, start.config, options, true, start.prompt)
      ->read_eval(*sources.dev);
}

std::vector<float> class_weights_of(const FinetuneSettings& settings, const TaskData& train,
                                    const BertConfig& config, const Task& task) {
  if (settings.class_weights.empty() && !settings.balanced_class_weights) return {};
  const bool by_label = task.loss() == internal::TaskLoss::cross_entropy && task.head().by_label();
  if (!by_label) {
    throw ArgumentError(fmt::format(
        "class weights belong to tasks that choose one of several labels, not to {}", task.name()));
  }
  if (!settings.balanced_class_weights) return settings.class_weights;
  return balanced_class_weights(label_counts(train, config.num_labels()));
}

/// Throws ArgumentError for numbers that no run can have.
void require_in_range(const FinetuneSettings& settings) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  internal::require_usable(settings);
  internal::require_count("max-train-samples", settings.data.max_samples, 0, kMost);
  internal::require_count("max-dev-samples", settings.max_dev_samples, 0, kMost);
  internal::require_count("max-length", settings.data.max_length, 0, std::int64_t{1} << 30);
  internal::require_count("stride", settings.data.stride, 0, 1 << 20);
  internal::require_count("steps", settings.steps, 0, kMost);
  internal::require_count("batch-size", settings.batch_size, 1, 1 << 20);
  internal::require_count("accumulation", settings.accumulation, 1, 1 << 20);
  internal::require_count("batch-tokens", settings.batch_tokens, 1, std::int64_t{1} << 30);
  internal::require_count("freeze-layers", settings.freeze_layers, 0, 1 << 20);
  internal::require_count("patience", settings.patience, 0, kMost);
  internal::require_in_range("epochs", settings.epochs, 0.0, 1e9);
  internal::require_in_range("layer-decay", settings.layer_decay, 0.01, 1.0);
  internal::require_in_range("label-smoothing", settings.label_smoothing, 0.0, 0.999);
  internal::require_class_weights(settings.class_weights);
  if (settings.classifier_dropout) {
    internal::require_in_range("classifier-dropout", *settings.classifier_dropout, 0.0, 0.9);
  }
}

/// Throws ArgumentError for what is missing or does not go together.
void require_complete(const FinetuneSettings& settings, const Sources& sources) {
  require_in_range(settings);
  if (settings.task.empty()) {
    std::string names;
    for (const auto& task : tasks())
      names += fmt::format("{}{}", names.empty() ? "" : ", ", task.name);
    throw ArgumentError("the task is missing: one of " + names);
  }
  if (settings.model.empty() && settings.size.empty()) {
    throw ArgumentError("a model is missing: name one, or a size to begin from nothing");
  }
  if (!settings.model.empty() && !settings.size.empty()) {
    throw ArgumentError("model and size exclude each other: a size begins from nothing");
  }
  if (!settings.size.empty() && settings.vocab.empty()) {
    throw ArgumentError("a size needs a vocabulary (vocab) beside it");
  }
  if (!sources.train.in_memory() && sources.train.file().empty()) {
    throw ArgumentError("the training data is missing: the file to learn from");
  }
  if (settings.patience > 0 && !sources.dev) {
    throw ArgumentError("patience needs a dev set: nothing else says what is better");
  }
  if (!settings.best_metric.empty() && !sources.dev) {
    throw ArgumentError("a best metric needs a dev set: nothing is measured without");
  }
}

void tell_notes(const FinetuneCallbacks& callbacks, const DataSource& source,
                const TaskData& data) {
  for (const auto& note : data.notes()) {
    internal::tell(callbacks, MessageKind::note, fmt::format("{}: {}", source.name(), note));
  }
}

/// Opens a resumed run, and holds its settings against those that it began with.
RunDirectory open_resumed(const FinetuneSettings& settings, const FinetuneCallbacks& callbacks) {
  auto run = internal::open_run(settings);
  const auto began = internal::finetune_settings_from(run.settings(), run.settings_file());
  internal::require_unchanged(internal::saved_settings(settings), internal::saved_settings(began),
                              run.settings(), run.settings_file(), callbacks);
  return run;
}

/// Opens the directory of a new run, in which nothing is changed yet.
RunDirectory open_new(const FinetuneSettings& settings) {
  auto run = internal::open_run(settings);
  run.require_takeable({{"train", settings.train},
                        {"dev", settings.dev},
                        {"model", settings.model},
                        {"vocab", settings.vocab}},
                       published_files(settings.task));
  return run;
}

FinetuneResult finetune_on(const FinetuneSettings& given, const Sources& sources,
                           const FinetuneCallbacks& callbacks) {
  const auto settings = internal::with_settled_precision(given, finetune_settings_of);
  if (settings.output.empty()) {
    throw ArgumentError("the output is missing: the directory of the run");
  }
  // What can be wrong is looked at before anything is made, and an earlier run stays whole until
  // the first step is computed.
  std::optional<RunDirectory> opened;
  if (settings.resume) opened = open_resumed(settings, callbacks);
  require_complete(settings, sources);
  if (!opened) opened = open_new(settings);
  auto& run = *opened;
  std::optional<fs::path> checkpoint;
  if (settings.resume) checkpoint = internal::checkpoint_to_resume(run, callbacks);
  const internal::ThreadsDuringCall threads(settings.threads, callbacks);
  auto start = start_of(settings, callbacks.progress, checkpoint);
  require_same_vocabulary(start.tokenizer, start.config);
  internal::tell_warnings(callbacks, start.left_out);
  const auto chosen = task_of(start, settings);
  const auto train = read_train(chosen, sources.train, settings.resume);
  tell_notes(callbacks, sources.train, *train);
  chosen.task->configure(start.config);
  const auto dev = read_dev(start, settings, sources);
  if (dev != nullptr) tell_notes(callbacks, *sources.dev, *dev);

  const internal::TaskModelOptions options{
      .head = &chosen.task->head(),
      .loss = chosen.task->loss(),
      .compute = internal::training_dtype(settings.precision),
      .recompute = settings.recompute,
      .class_weights = class_weights_of(settings, *train, start.config, *chosen.task),
      .label_smoothing = settings.label_smoothing,
      .freeze_layers = settings.freeze_layers,
      .freeze_embeddings = settings.freeze_embeddings};
  std::unique_ptr<internal::WeightSource> weights;
  if (start.directory.empty()) {
    weights = std::make_unique<internal::RandomWeights>(start.config, settings.seed);
  } else {
    weights = std::make_unique<internal::CheckpointWeights>(Checkpoint::open(start.directory));
  }
  internal::TaskModel model(start.config, *weights, options, settings.seed, !chosen.trained);
  const FinetuneInputs inputs{.model = model,
                              .task = *chosen.task,
                              .tokenizer = start.tokenizer,
                              .train = *train,
                              .dev = dev.get(),
                              .base_model = settings.size.empty() ? settings.model : settings.size,
                              .train_name = sources.train.name(),
                              .dev_name = sources.dev ? sources.dev->name() : "",
                              .model_settings = start.model_settings};
  require_runnable(inputs, settings);
  const auto fingerprint = fingerprint_of(*train);
  if (!settings.resume) {
    run.require_room(model.parameters().count());
    run.plan(internal::run_json(internal::saved_settings(settings), fingerprint));
  } else if (!internal::began_with(run.settings(), fingerprint, run.settings_file())) {
    throw ModelError(
        "the training data is not what the run began with (changed, or in another order): resume "
        "with the same file, or begin another run");
  }
  if (callbacks.start) {
    callbacks.start({.examples = train->examples(),
                     .dev_examples = dev == nullptr ? 0 : dev->examples(),
                     .parameters = model.parameters().count(),
                     .compute = options.compute,
                     .new_head = options.head->layers().empty()
                                     ? std::nullopt
                                     : std::optional(model.has_new_head())});
  }
  return run_finetuning(inputs, run, settings, checkpoint, callbacks);
}

}  // namespace

FinetuneResult finetune(const FinetuneSettings& settings, const FinetuneCallbacks& callbacks) {
  Sources sources{settings.train, std::nullopt};
  if (!settings.dev.empty()) sources.dev = settings.dev;
  return finetune_on(settings, sources, callbacks);
}

FinetuneResult finetune(const FinetuneSettings& settings, const FinetuneExamples& examples,
                        const FinetuneCallbacks& callbacks) {
  if (!settings.train.empty() || !settings.dev.empty()) {
    throw ArgumentError("examples are given both as files and in memory: give one of them");
  }
  Sources sources{DataSource(examples.train), std::nullopt};
  if (!examples.dev.empty()) sources.dev = DataSource(examples.dev);
  return finetune_on(settings, sources, callbacks);
}

}  // namespace cloze
