/// \file
/// Fine-tuning: a BERT and examples of a task make a model of the task. docs/tasks.md has the tasks
/// and their files.
///
///     FinetuneSettings settings;
///     settings.task = "text-classification";
///     settings.model = "google-bert/bert-base-uncased";
///     settings.train = "train.tsv";
///     settings.dev = "dev.tsv";
///     settings.output = "sentiment";
///     const auto result = finetune(settings);
///     std::cout << results_table(result.evaluations);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloze/examples.h"
#include "cloze/task_options.h"
#include "cloze/tensor.h"
#include "cloze/training.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The defaults are those of transformers' Trainer, but for a batch of 32, the warm-up and the
/// weight decay, which are BERT's own.
struct FinetuneSettings : TrainingSettings {
  FinetuneSettings() {
    learning_rate = 5e-5;
    warmup_ratio = 0.1;
    optimizer.epsilon = 1e-8;
  }

  // The model.
  std::string model;            ///< to start from: a directory, or a name on the Hub
  std::string size;             ///< or start from random weights: "tiny" to "large" (model_sizes.h)
  std::filesystem::path vocab;  ///< with `size`: a vocab.txt, or a directory with a tokenizer
  bool cased = false;           ///< with a vocab.txt: keep upper case and accents
  bool new_head = false;        ///< do not go on with the head that the model has
  std::optional<double> classifier_dropout;  ///< before the head, instead of the configuration's

  // The task and its data.
  std::string task;                  ///< a name of `tasks()`
  std::filesystem::path train;       ///< the examples to learn from
  std::filesystem::path dev;         ///< the examples to evaluate on; empty: the last model counts
  TaskOptions data;                  ///< how both are read; `max_samples` is of the training data
  std::int64_t max_dev_samples = 0;  ///< 0: all

  // Training.
  double epochs = 3;              ///< passes over the examples
  std::int64_t steps = 0;         ///< optimizer steps instead of epochs; 0: by epochs
  std::int64_t batch_size = 32;   ///< texts, pairs, windows or groups of choices of a batch
  std::int64_t accumulation = 1;  ///< batches that make a step
  /// Tokens computed at once: a larger batch is computed in parts, which changes nothing but the
  /// memory it takes and the last bits.
  std::int64_t batch_tokens = 4096;
  double layer_decay = 1;            ///< each layer learns at so much of the rate of the one above
  std::int64_t freeze_layers = 0;    ///< do not train the first so many layers and the embeddings
  bool freeze_embeddings = false;    ///< do not train the embeddings
  double label_smoothing = 0;        ///< share of a label that is spread over all
  std::vector<float> class_weights;  ///< what each label's loss counts, in the labels' order
  bool balanced_class_weights = false;  ///< weights from the labels' frequencies instead

  // What is best, and when it is enough.
  std::string best_metric;    ///< that "best" goes by, "loss" too; empty: the task's own
  std::int64_t patience = 0;  ///< evaluations without a better one, then stop; 0: never

  /// For the model card: how a person uses the model, such as a command; empty: it says nothing.
  std::string usage;

  /// Sets `class_weights` and `balanced_class_weights` from "balanced", numbers with commas between
  /// them, or "" for none. Throws ArgumentError.
  void set_class_weights(std::string_view text);
};

/// What a run begins with.
struct FinetuneStart {
  std::size_t examples = 0, dev_examples = 0;
  std::int64_t parameters = 0;
  DType compute = DType::f32;    ///< what the precision means on this machine
  std::optional<bool> new_head;  ///< whether the head was newly made; nothing: it has no parameters
};

/// What a logged step was like, averages since the last one.
struct FinetuneStep {
  std::int64_t step = 0;
  double epoch = 0;
  double progress = 0;  ///< share of the run
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  double seconds_left = 0;
};

/// An evaluation on the dev set.
struct FinetuneEvaluation {
  std::int64_t step = 0;
  double epoch = 0;
  double train_loss = 0;                                ///< mean since the last evaluation
  double loss = 0;                                      ///< on the dev set
  std::vector<std::pair<std::string, double>> metrics;  ///< the task's, in the order of a table
  bool best = false;                                    ///< so far
};

/// Whom fine-tuning tells what it does; any may be empty.
struct FinetuneCallbacks : TrainingCallbacks {
  std::function<void(const FinetuneStart&)> start;
  std::function<void(const FinetuneStep&)> step;
  std::function<void(const FinetuneEvaluation&)> evaluation;
};

/// What a run of fine-tuning came to.
struct FinetuneResult {
  bool finished = false;       ///< otherwise stopped on request
  bool stopped_early = false;  ///< for want of patience
  double epochs = 0;           ///< completed
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double seconds = 0;                           ///< of training and evaluation
  std::vector<FinetuneEvaluation> evaluations;  ///< the run's, resumed stretches included
  std::string details;       ///< a table of the best evaluation: by label, by entity type
  std::string details_json;  ///< the same as a JSON object; empty without an evaluation

  /// The best evaluation; none: nullptr.
  [[nodiscard]] const FinetuneEvaluation* best() const&;
  const FinetuneEvaluation* best() && = delete;
};

/// Examples in memory instead of files: arrays of the struct that the task reads (examples.h).
struct FinetuneExamples {
  Examples train;
  Examples dev{};  ///< may be empty
};

/// Trains until the steps or epochs are up, patience is at its end, or `should_stop` says so.
/// Evaluates and saves on the schedule; in the end `output` holds the best model, a Hugging Face
/// directory with a model card. Throws ArgumentError for settings that make no run, cannot go
/// together, or may not change on resuming, IoError, FormatError for the data, ModelError for a
/// model that does not fit it, and when a loss or gradient is not finite, after saving the last
/// good state.
[[nodiscard]] FinetuneResult finetune(const FinetuneSettings& settings,
                                      const FinetuneCallbacks& callbacks = {});
/// The same with examples in memory; `settings.train` and `settings.dev` must be empty. To resume
/// such a run takes the same examples. Throws ArgumentError also for examples of another struct
/// than the task's.
[[nodiscard]] FinetuneResult finetune(const FinetuneSettings& settings,
                                      const FinetuneExamples& examples,
                                      const FinetuneCallbacks& callbacks = {});

/// The settings that the run in a directory began with, to resume it: `resume` and `output` are
/// set. Throws ArgumentError where there is no run, IoError, FormatError.
[[nodiscard]] FinetuneSettings finetune_settings_of(const std::filesystem::path& run_directory);

/// The evaluations as a Markdown table, lined up so that it reads on a terminal, too; empty for
/// none.
[[nodiscard]] std::string results_table(std::span<const FinetuneEvaluation> evaluations);

}  // namespace cloze

#pragma GCC visibility pop
