/// \file
/// The loop of pre-training: steps, evaluation, checkpoints, logs, and the guards that stop a run
/// before it spoils what it has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/training/pretraining.h"
#include "cloze/tokenizer.h"
#include "corpus/pretraining_data.h"
#include "train/optimizer.h"
#include "train/run_directory.h"
#include "train/schedule.h"

namespace cloze {

/// A stretch of the run with data of its own: BERT's first has sequences of 128 tokens, its second,
/// the last tenth, of 512.
struct PretrainPhase {
  double until = 1;  ///< share of the run at which it ends
  PretrainingDataOptions data;
};

struct PretrainSettings {
  std::int64_t steps = 0;         ///< optimizer steps; 0: as many as fit in `max_seconds`
  double max_seconds = 0;         ///< of training, resumed stretches added up; 0: no limit
  std::int64_t accumulation = 1;  ///< batches whose gradients make a step
  double learning_rate = 1e-4;    ///< the peak
  ScheduleKind schedule = ScheduleKind::linear;
  double warmup = 0.01;  ///< share of the run
  OptimizerSettings optimizer;
  std::uint64_t seed = 0;
  bool dropout = true;

  std::int64_t log_every = 10;       ///< steps
  std::int64_t evaluate_every = 0;   ///< steps; 0: only at the end
  std::int64_t save_every = 0;       ///< steps; 0: only at the end
  double save_every_seconds = 600;   ///< besides; 0: no
  std::int64_t keep = 2;             ///< newest checkpoints kept, besides the best
  std::int64_t histogram_every = 0;  ///< steps; 0: with every evaluation
  /// The run stops where the loss is more than so many times its moving average; 0: no guard.
  double loss_spike = 3;
};

/// What a logged step was like, averages since the last one.
struct PretrainStep {
  std::int64_t step = 0;
  double progress = 0;  ///< share of the run
  internal::PretrainingLoss loss;
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  double gemm_share = 0;    ///< of what oneDNN alone reaches on the step's products
  double waited_share = 0;  ///< of the time, for data
  double seconds_left = 0;
  std::int64_t tokens = 0;  ///< since the run began
};

struct PretrainEvaluation {
  std::int64_t step = 0;
  internal::PretrainingLoss loss;
  bool best = false;
};

/// Whom the loop tells what it does; any may be empty.
struct PretrainListener {
  std::function<void(const PretrainStep&)> step;
  std::function<void(const PretrainEvaluation&)> evaluation;
  std::function<void(const std::string&)> note;  ///< a sentence for a person
};

struct PretrainResult {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double seconds = 0;              ///< of training, resumed stretches added up
  bool finished = false;           ///< otherwise stopped on request
  internal::PretrainingLoss last;  ///< the last evaluation; without one, the last logged steps
  std::int64_t best_step = 0;
  double best_loss = 0;
};

/// What a run works with; all of it must outlive the run.
struct PretrainInputs {
  internal::PretrainingModel& model;
  const Tokenizer& tokenizer;
  std::shared_ptr<const Corpus> corpus;
  std::vector<PretrainPhase> phases;                   ///< at least one, the last until 1
  std::vector<internal::PretrainingBatch> evaluation;  ///< held-out batches; may be empty
};

/// Where a run stands: what a checkpoint keeps beside model and optimizer.
struct PretrainState {
  std::int64_t step = 0;  ///< completed
  std::int64_t tokens = 0;
  double seconds = 0;       ///< of training
  double average_loss = 0;  ///< moving, for the guard
  std::size_t phase = 0;
  DataPosition position;
  std::int64_t best_step = -1;
  double best_loss = 0;

  [[nodiscard]] std::string to_json() const;
  /// Throws FormatError, which `origin` begins.
  [[nodiscard]] static PretrainState from_json(std::string_view json, const std::string& origin);
};

/// Trains until the steps or the time are up, or `stop` says so after a step; then, and on the
/// schedule, saves. With `resume_from` goes on from that checkpoint of `directory`, bit for bit as
/// if there had been no stop where steps, not time, limit the run. Throws ModelError when a loss or
/// gradient is not finite or leaps, after saving the last good state, and whatever data and files
/// throw.
[[nodiscard]] PretrainResult pretrain(PretrainInputs inputs, const RunDirectory& directory,
                                      const PretrainSettings& settings,
                                      std::optional<std::int64_t> resume_from,
                                      const PretrainListener& listener,
                                      const std::function<bool()>& stop);

/// Writes the model as a Hugging Face directory: what transformers' BertForPreTraining (without the
/// next-sentence task BertForMaskedLM) loads. Throws IoError.
void save_pretrained_model(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                           const std::filesystem::path& directory);

}  // namespace cloze
