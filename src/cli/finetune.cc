// `cloze finetune`: a BERT and examples of a task make a model of the task.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/training/task_model.h"
#include "bert/weights.h"
#include "checkpoint/model_sizes.h"
#include "cli/command.h"
#include "cli/finetune_options.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cli/training_run.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/hub.h"
#include "cloze/output.h"
#include "cloze/threads.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"
#include "tasks/task.h"
#include "train/fine_tuner.h"
#include "train/model_card.h"
#include "train/run_directory.h"
#include "train/task_data.h"

namespace cloze::cli {
namespace {

namespace fs = std::filesystem;

/// What a run starts from: a model's directory, or nothing but a size and a vocabulary.
struct Start {
  fs::path directory;  ///< empty: random weights
  Tokenizer tokenizer;
  BertConfig config;
  bool resumed = false;  ///< the directory is a checkpoint of this run
};

Start start_of(const FinetuneOptions& options, const std::optional<fs::path>& checkpoint) {
  if (checkpoint) {
    return {*checkpoint, Tokenizer::from_pretrained(*checkpoint),
            BertConfig::from_pretrained(*checkpoint), true};
  }
  Start start = [&]() -> Start {
    if (options.size.empty()) {
      const auto directory = find_model(options.model);
      return {directory, Tokenizer::from_pretrained(directory),
              BertConfig::from_pretrained(directory)};
    }
    auto config = as_usage([&] { return named_config(options.size); });
    auto tokenizer = tokenizer_of_vocabulary(options.vocab, options.cased);
    config.vocab_size = tokenizer.vocab_size();
    return {{}, std::move(tokenizer), config};
  }();
  if (options.dropout >= 0) {
    start.config.hidden_dropout_prob = start.config.attention_probs_dropout_prob = options.dropout;
  }
  if (options.classifier_dropout >= 0) {
    start.config.classifier_dropout = options.classifier_dropout;
  }
  return start;
}

/// Whether the model was trained with such a head and its labels are the task's.
bool has_head(const Start& start, const Task& task, const FinetuneOptions& options) {
  if (start.resumed) return true;
  const auto& names = start.config.architectures;
  const auto head = internal::architecture_of(task.head());
  return !options.new_head && std::find(names.begin(), names.end(), head) != names.end();
}

/// The task with the labels of the model's head, or with those that its training data will have.
struct ChosenTask {
  std::unique_ptr<Task> task;
  bool trained = false;
};

ChosenTask task_of(const Start& start, const FinetuneOptions& options) {
  const auto make = [&](bool trained) {
    return as_usage([&] {
      return make_task(options.task, start.tokenizer, start.config, options.task_options(),
                       trained);
    });
  };
  ChosenTask chosen{make(false)};
  chosen.trained = has_head(start, *chosen.task, options);
  if (chosen.trained) chosen.task = make(true);
  return chosen;
}

std::unique_ptr<TaskData> read_train(const ChosenTask& chosen, const FinetuneOptions& options) {
  try {
    return chosen.task->read_train(options.train);
  } catch (const FormatError& error) {
    if (!chosen.trained || options.resume) throw;
    throw FormatError(
        fmt::format("{} (--new-head trains a new head, for the labels of the file)", error.what()));
  }
}

/// The dev set, read by a task that has the labels of the training data.
std::unique_ptr<TaskData> read_dev(const Start& start, const BertConfig& config,
                                   const FinetuneOptions& options) {
  if (options.dev.empty()) return nullptr;
  auto task_options = options.task_options();
  task_options.max_samples = options.max_dev_samples;
  return make_task(options.task, start.tokenizer, config, task_options, true)
      ->read_eval(options.dev);
}

std::vector<float> class_weights_of(const FinetuneOptions& options, const TaskData& train,
                                    const BertConfig& config, const Task& task) {
  if (options.class_weights.empty()) return {};
  const bool by_label =
      task.loss() == internal::TaskLoss::cross_entropy &&
      (task.head() == internal::TaskHead::sequence || task.head() == internal::TaskHead::token);
  if (!by_label) {
    throw UsageError(
        fmt::format("--class-weights belong to tasks that choose one of several labels, not to {}",
                    task.name()));
  }
  if (options.class_weights == "balanced") {
    return as_usage(
        [&] { return balanced_class_weights(label_counts(train, config.num_labels())); });
  }
  std::vector<float> weights;
  std::string_view rest = options.class_weights;
  while (true) {
    const auto comma = rest.find(',');
    const auto number = rest.substr(0, comma);
    float value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) {
      throw UsageError(fmt::format(
          "--class-weights {} is neither \"balanced\" nor numbers with commas between them",
          options.class_weights));
    }
    weights.push_back(value);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return weights;
}

FineTuneListener listener() {
  FineTuneListener listener;
  listener.progress = terminal_progress();
  listener.step = [](const FineTuneStep& step) {
    say(fmt::format(
        "step {:>6}  {:3.0f}%  epoch {:.2f}  loss {:.4f}  lr {:.2e}  norm {:.2f}  "
        "{} tokens/s  {} left",
        step.step, 100 * step.progress, step.epoch, step.loss.loss(), step.learning_rate,
        step.gradient_norm, grouped(static_cast<std::int64_t>(step.tokens_per_s)),
        clock_text(step.seconds_left)));
  };
  listener.evaluation = [](const FineTuneEvaluation& evaluation) {
    auto line =
        fmt::format("dev set after epoch {:.2f}: loss {:.4f}", evaluation.epoch, evaluation.loss);
    for (const auto& [name, value] : evaluation.metrics)
      line += fmt::format(", {} {:.4f}", name, value);
    say(line + (evaluation.best ? "  best so far" : ""));
  };
  listener.note = [](const std::string& text) { say("note: " + text); };
  return listener;
}

nlohmann::ordered_json metrics_json(const FineTuneEvaluation& evaluation) {
  nlohmann::ordered_json json;
  json["loss"] = evaluation.loss;
  for (const auto& [name, value] : evaluation.metrics) json[name] = value;
  return json;
}

std::string summary_json(const FineTuneResult& result, const FinetuneOptions& options) {
  const auto& state = result.state;
  nlohmann::ordered_json out;
  out["output"] = options.output;
  out["finished"] = result.finished;
  out["stopped_early"] = state.stopped_early;
  out["epochs"] = result.epochs;
  out["steps"] = state.step;
  out["tokens"] = state.tokens;
  out["seconds"] = state.seconds;
  if (const auto* best = state.best(); best != nullptr) {
    out["best_step"] = best->step;
    out["metrics"] = metrics_json(*best);
    out["history"] = nlohmann::ordered_json::array();
    for (const auto& evaluation : state.evaluations) {
      auto entry = metrics_json(evaluation);
      entry["step"] = evaluation.step;
      entry["epoch"] = evaluation.epoch;
      entry["train_loss"] = evaluation.train_loss;
      out["history"].push_back(std::move(entry));
    }
    if (!state.best_details_json.empty()) {
      out["details"] = nlohmann::ordered_json::parse(state.best_details_json, nullptr, false);
    }
  }
  return out.dump() + '\n';
}

std::string_view head_text(const internal::TaskModel& model) {
  if (model.options().head == internal::TaskHead::embedding) return "";
  return model.has_new_head() ? ", a new head" : ", the head that the model has";
}

std::string summary(const FineTuneResult& result, const FinetuneOptions& options,
                    const Task& task) {
  const auto& state = result.state;
  auto text = results_table(state);
  if (!state.best_details.empty()) text += '\n' + state.best_details;
  if (!text.empty()) text += '\n';
  text += fmt::format(
      "{}: {} steps, {} tokens in {}; the model is {}{}\n",
      result.finished ? "done" : "stopped, to be continued with --resume", grouped(state.step),
      grouped(state.tokens), clock_text(state.seconds), options.output,
      state.best() == nullptr ? "" : fmt::format(" (of step {})", state.best()->step));
  text += fmt::format("try it:      cloze {} --model {} ...\n", command_of(task), options.output);
  text += fmt::format("the curves:  tensorboard --logdir {}/tensorboard\n", options.output);
  return text;
}

}  // namespace

void run_finetune(Arguments arguments) {
  CLI::App app("Fine-tunes a BERT for a task: classification, entities, answers, and others.",
               "cloze finetune");
  FinetuneOptions options;
  options.add_to(app);
  if (!parse(app, arguments)) return;

  if (options.output.empty()) throw UsageError("--output is missing: the directory of the run");
  if (!options.resume) options.require_complete();
  std::optional<RunDirectory> opened;
  const auto open_run = [&] {
    opened = as_usage([&] {
      return RunDirectory::open(options.output, existing_run(options.resume, options.overwrite));
    });
  };
  std::optional<std::int64_t> checkpoint;
  if (options.resume) {
    open_run();
    for (const auto& note : options.take_up(app, opened->settings())) say("note: " + note);
    checkpoint = checkpoint_to_resume(*opened);
  }
  set_num_threads(options.threads);

  // What can be wrong is looked at before anything is made.
  auto settings = options.settings();
  std::optional<fs::path> from;
  if (checkpoint) from = opened->checkpoint(*checkpoint);
  auto start = start_of(options, from);
  require_same_vocabulary(start.tokenizer, start.config);
  const auto chosen = task_of(start, options);
  const auto train = read_train(chosen, options);
  for (const auto& note : train->notes()) say(fmt::format("note: {}: {}", options.train, note));
  chosen.task->configure(start.config);
  const auto dev = read_dev(start, start.config, options);
  if (dev != nullptr) {
    for (const auto& note : dev->notes()) say(fmt::format("note: {}: {}", options.dev, note));
  }
  if (settings.warmup >= 1) {
    settings.warmup =
        std::min(1.0, settings.warmup / static_cast<double>(total_steps(train->size(), settings)));
  }

  const internal::TaskModelOptions training{
      .head = chosen.task->head(),
      .loss = chosen.task->loss(),
      .compute = training_dtype(options.dtype),
      .recompute = options.recompute,
      .class_weights = class_weights_of(options, *train, start.config, *chosen.task),
      .label_smoothing = options.label_smoothing,
      .freeze_layers = options.freeze_layers,
      .freeze_embeddings = options.freeze_embeddings};
  std::unique_ptr<internal::WeightSource> weights;
  if (start.directory.empty()) {
    weights = std::make_unique<internal::RandomWeights>(start.config, options.seed);
  } else {
    weights = std::make_unique<internal::CheckpointWeights>(Checkpoint::open(start.directory));
  }
  auto model = as_usage([&] {
    return internal::TaskModel(start.config, *weights, training, options.seed, !chosen.trained);
  });
  if (!opened) open_run();
  const auto fingerprint = fingerprint_of(*train);
  if (options.resume) {
    FinetuneOptions::require_same_data(opened->settings(), fingerprint);
  } else {
    opened->write_settings(options.to_json(fingerprint));
  }
  say(fmt::format("{}: {} examples to learn from, {} to evaluate on; {} parameters, {}{}",
                  options.task, grouped(static_cast<std::int64_t>(train->examples())),
                  grouped(dev == nullptr ? 0 : static_cast<std::int64_t>(dev->examples())),
                  grouped(model.parameters().count()), name_of(training.compute),
                  head_text(model)));

  const StopOnSignal watch;
  const auto result =
      fine_tune({.model = model,
                 .task = *chosen.task,
                 .tokenizer = start.tokenizer,
                 .train = *train,
                 .dev = dev.get(),
                 .base_model = options.size.empty() ? options.model : options.size,
                 .train_name = options.train,
                 .dev_name = options.dev},
                *opened, settings, checkpoint, listener(), &StopOnSignal::requested);
  chosen.task->write_files(options.output);
  auto out = Output::standard_output();
  out.write(options.json ? summary_json(result, options) : summary(result, options, *chosen.task));
  out.finish();
}

}  // namespace cloze::cli
