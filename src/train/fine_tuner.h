/// \file
/// The loop of fine-tuning: epochs over a task's examples, evaluation, the best model, checkpoints,
/// logs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bert/training/task_model.h"
#include "cloze/tokenizer.h"
#include "tasks/task.h"
#include "train/optimizer.h"
#include "train/run_directory.h"
#include "train/schedule.h"

namespace cloze {

/// The defaults are those of transformers' Trainer, but for a batch of 32, the warm-up and the
/// weight decay, which are BERT's own.
struct FineTuneSettings {
  double epochs = 3;              ///< passes over the examples
  std::int64_t steps = 0;         ///< optimizer steps instead of epochs; 0: by epochs
  std::int64_t batch_size = 32;   ///< units (TaskData) of a batch
  std::int64_t accumulation = 1;  ///< batches that make a step
  double learning_rate = 5e-5;    ///< the peak
  ScheduleKind schedule = ScheduleKind::linear;
  double warmup = 0.1;     ///< share of the run
  double layer_decay = 1;  ///< each layer learns at so much of the rate of the one above
  OptimizerSettings optimizer{.epsilon = 1e-8};
  std::uint64_t seed = 0;
  bool dropout = true;
  /// Tokens computed at once: a larger batch is computed in parts, which changes nothing but the
  /// memory it takes and the last bits.
  std::int64_t part_tokens = 4096;

  std::int64_t log_every = 20;      ///< steps
  std::int64_t evaluate_every = 0;  ///< steps; 0: after each epoch
  std::int64_t save_every = 0;      ///< steps; 0: with each evaluation
  std::int64_t keep = 1;            ///< newest checkpoints kept, besides the best
  std::int64_t patience = 0;        ///< evaluations without a better one, then stop; 0: never
  std::string best_metric;          ///< that "best" goes by, "loss" too; empty: the task's
};

/// What a logged step was like, averages since the last one.
struct FineTuneStep {
  std::int64_t step = 0;
  double epoch = 0;
  double progress = 0;  ///< share of the run
  internal::TaskLossSum loss;
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  double seconds_left = 0;
};

struct FineTuneEvaluation {
  std::int64_t step = 0;
  double epoch = 0;
  double train_loss = 0;  ///< mean since the last evaluation
  double loss = 0;        ///< on the dev set
  std::vector<std::pair<std::string, double>> metrics;
  bool best = false;  ///< so far
};

/// Whom the loop tells what it does; any may be empty.
struct FineTuneListener {
  std::function<void(const FineTuneStep&)> step;
  std::function<void(const FineTuneEvaluation&)> evaluation;
  std::function<void(const std::string&)> note;  ///< a sentence for a person
};

/// What a run works with; all of it must outlive the run.
struct FineTuneInputs {
  internal::TaskModel& model;  ///< with the config that `task` configured
  const Task& task;
  const Tokenizer& tokenizer;
  const TaskData& train;
  const TaskData* dev = nullptr;  ///< none: nothing is evaluated, and the last model counts
  // For the model card.
  std::string base_model, train_name, dev_name;
};

/// Where a run stands: what a checkpoint keeps beside model and optimizer.
struct FineTuneState {
  std::int64_t step = 0;    ///< completed
  std::int64_t passes = 0;  ///< forward_backward calls
  std::int64_t tokens = 0;
  double seconds = 0;                     ///< of training and evaluation
  internal::TaskLossSum since_evaluated;  ///< training losses
  std::int64_t without_better = 0;        ///< evaluations since the best
  bool stopped_early = false;
  std::vector<FineTuneEvaluation> evaluations;
  std::string best_details, best_details_json;  ///< TaskReport's, of the best

  /// The best evaluation; none: nullptr.
  [[nodiscard]] const FineTuneEvaluation* best() const;

  [[nodiscard]] std::string to_json() const;
  /// Throws FormatError, which `origin` begins.
  [[nodiscard]] static FineTuneState from_json(std::string_view json, const std::string& origin);
};

struct FineTuneResult {
  FineTuneState state;
  double epochs = 0;      ///< completed
  bool finished = false;  ///< otherwise stopped on request
};

/// Optimizer steps of an epoch, and of the run.
[[nodiscard]] std::int64_t steps_per_epoch(std::size_t units, const FineTuneSettings& settings);
[[nodiscard]] std::int64_t total_steps(std::size_t units, const FineTuneSettings& settings);

/// Sets each parameter's learning rate: the head's and pooler's are 1, the last layer's `decay`,
/// the one's below decay², ..., the embeddings' the least (Sun et al., arXiv:1905.05583,
/// section 5.3.4). Frozen ones stay frozen.
void set_layer_rates(internal::Parameters& parameters, std::int64_t layers, double decay);

/// Trains until the steps are up, patience is at its end, or `stop` says so after a step. Evaluates
/// and saves on the schedule; in the end the directory holds the best model, with a model card.
/// With `resume_from` goes on from that checkpoint, bit for bit as if there had been no stop.
/// Throws ArgumentError for settings that make no run, ModelError when a loss or gradient is not
/// finite, after saving the last good state, and whatever data and files throw.
[[nodiscard]] FineTuneResult fine_tune(FineTuneInputs inputs, const RunDirectory& directory,
                                       const FineTuneSettings& settings,
                                       std::optional<std::int64_t> resume_from,
                                       const FineTuneListener& listener,
                                       const std::function<bool()>& stop);

}  // namespace cloze
