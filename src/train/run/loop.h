/// \file
/// The training loop: steps, evaluation, checkpoints, logs, and the guards that stop a run before
/// it spoils what it has. What is learnt comes from an Objective: pre-training and fine-tuning are
/// one each.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "bert/training/parameters.h"
#include "core/clock.h"
#include "train/optimizer/optimizer.h"
#include "train/optimizer/schedule.h"
#include "train/run/run_directory.h"

namespace cloze::internal {

/// Where a run stands, whatever it learns: what the loop counts. An objective adds what is its own
/// and keeps all of it in a checkpoint.
struct RunState {
  std::int64_t step = 0;  ///< completed
  std::int64_t tokens = 0;
  double seconds = 0;  ///< of training, resumed stretches added up
  /// Fingerprint of the data that the evaluations were made on; nothing: none was made.
  std::optional<std::uint64_t> evaluated_on;
};

/// What the gradients of a step came from.
struct StepPass {
  double loss = 0;
  std::int64_t tokens = 0;
  Clock::duration aside{};  ///< spent on something that is not a part of training
};

/// What a logged step was like, averages since the last one.
struct LoggedStep {
  std::int64_t step = 0;
  double progress = 0;  ///< share of the run, at most 1
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  double seconds = 0;  ///< since the last logged step, evaluations and saves not counted
  double seconds_left = 0;
};

/// What a person is told besides the reason when the best evaluation counts no more.
inline constexpr const char* kBestAnew = ": the best model is chosen anew from here on";

/// What a run learns: its data, its loss, its measure of "best", and its part of a checkpoint.
class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  Objective(Objective&&) = delete;
  Objective& operator=(Objective&&) = delete;
  virtual ~Objective() = default;

  // The model.
  [[nodiscard]] virtual Parameters& parameters() = 0;
  /// The table whose rows have gradients only where `Optimizer::read` is told of them; or empty.
  [[nodiscard]] virtual std::string_view sparse_table() const { return {}; }
  /// Called after the parameters were loaded.
  virtual void parameters_changed() = 0;
  /// Writes the model's directory into a checkpoint.
  virtual void save_model(const std::filesystem::path& directory) const = 0;
  /// Writes what the run's own directory has beside the best model.
  virtual void published(const std::filesystem::path& directory) const { (void)directory; }

  // The state.
  [[nodiscard]] virtual RunState& state() = 0;
  [[nodiscard]] virtual std::string state_json() const = 0;
  /// Throws FormatError, which `origin` begins; ModelError for a state of another run.
  virtual void restore(std::string_view json, const std::string& origin) = 0;

  // The course.
  /// Called before the first step of this process.
  virtual void begin() {}
  /// Share of the run that is done; 1 or more at its end.
  [[nodiscard]] virtual double progress() const = 0;
  [[nodiscard]] virtual bool stopped_early() const { return false; }

  // A step.
  /// Adds the gradients of the next step to those of the parameters.
  virtual StepPass forward_backward(Optimizer& optimizer) = 0;
  /// Why a step of this (finite) loss must not be taken; empty: it may.
  [[nodiscard]] virtual std::string objection(double loss) {
    (void)loss;
    return "";
  }
  /// Called between the gradients and the optimizer's step.
  virtual void gradients_computed() {}
  /// Called after the optimizer's step; `state().step` counts it.
  virtual void step_taken() = 0;
  /// The place in the data that a person should look at when a step fails: " after epoch 2, ...".
  [[nodiscard]] virtual std::string place() const { return ""; }
  virtual void log(const LoggedStep& step) = 0;

  // Evaluation.
  /// Whether there is something to evaluate on that was not evaluated at this step.
  [[nodiscard]] virtual bool can_evaluate() const = 0;
  struct Evaluated {
    bool best = false;  ///< so far
    double loss = 0;
  };
  virtual Evaluated evaluate() = 0;
  /// The step of the best evaluation; -1 without one.
  [[nodiscard]] virtual std::int64_t best_step() const = 0;
  /// The best evaluation counts no more, because of `reason`, which a person is told: the next one
  /// is the best again.
  virtual void forget_best(const std::string& reason) = 0;
};

/// The most bytes of one file of weights, as transformers has it.
inline constexpr std::int64_t kMaxShardBytes = 5'000'000'000;

struct LoopSettings {
  double learning_rate = 0;  ///< the peak
  ScheduleKind schedule = ScheduleKind::linear;
  double warmup = 0;  ///< share of the run
  OptimizerSettings optimizer;
  std::int64_t log_every = 1;
  std::int64_t evaluate_every = 0;     ///< steps; 0: at the end alone
  std::int64_t save_every = 0;         ///< steps; 0: no
  double save_every_seconds = 0;       ///< besides; 0: no
  bool save_with_evaluations = false;  ///< even where none is the best
  bool publish_with_saves = false;     ///< else at the end
  bool limited_by_time = false;        ///< `progress` goes by `RunState::seconds`
  std::int64_t keep = 1;               ///< newest checkpoints, besides the best
};

/// Throws ArgumentError for settings that make no run.
void require_valid(const LoopSettings& settings);

class Loop {
 public:
  /// All must outlive it. Throws as require_valid does.
  Loop(Objective& objective, const RunDirectory& directory, const LoopSettings& settings);

  /// Goes on from a checkpoint of the run, or a copy of one. Throws IoError, FormatError, ModelError.
  void resume(const std::filesystem::path& checkpoint);

  /// Trains until the run is done (true), or `stop` says so after a step (false); saves, and
  /// publishes the best model, or the last where nothing is evaluated. Throws ModelError when a
  /// gradient is not finite or the objective objects, after saving the state before that step; and
  /// when a weight or a loss is not finite: then that state is not saved, and the message names the
  /// last one that was saved and had a finite loss, which is never pruned before.
  bool run(const std::function<bool()>& stop);

 private:
  [[nodiscard]] bool is_done() const;
  [[nodiscard]] bool must_save(bool evaluated) const;
  void step();
  [[noreturn]] void fail(const std::string& reason);
  /// The same where the state itself is no good, and an earlier one is named.
  [[noreturn]] void fail_of_state(const std::string& reason);
  void require_finite();
  void look_for_best();
  void log_step();
  void evaluate();
  void save();
  /// Once the state that was saved last has shown that it computes: until then an earlier checkpoint
  /// stays.
  void prune();
  [[nodiscard]] std::int64_t step_to_publish() const;
  void publish();

  Objective& objective_;
  const RunDirectory& directory_;
  LoopSettings settings_;
  Optimizer optimizer_;
  double before_ = 0;  // seconds of training before this process
  Clock::time_point started_, last_save_, window_start_;
  std::int64_t saved_step_ = -1, published_step_ = -1;
  struct Saved {
    std::filesystem::path path;
    std::int64_t step = -1;
  };
  Saved saved_;  // the last, or what the run went on from
  Saved good_;   // the last whose next loss was finite
  bool prunes_ = false;
  std::set<std::int64_t> whole_;  // steps of checkpoints that were saved or looked at
  bool keeps_published_ = false;  // until there is another best
  double learning_rate_ = 0, gradient_norm_ = 0;
  std::int64_t window_tokens_ = 0;  // since the last logged step
};

}  // namespace cloze::internal
