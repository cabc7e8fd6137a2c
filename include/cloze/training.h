/// \file
/// What fine-tuning and pre-training share: the optimizer, the schedule, the run's directory, and
/// whom a run tells what it does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cloze/bert.h"
#include "cloze/progress.h"

#pragma GCC visibility push(default)
namespace cloze {

/// Which optimizer.
enum class OptimizerKind : std::uint8_t {
  adamw,  ///< Loshchilov and Hutter, arXiv:1711.05101
  lamb,   ///< You et al., arXiv:1904.00962
};

/// Throws ArgumentError for another name than "adamw", "lamb".
[[nodiscard]] OptimizerKind optimizer_from(std::string_view name);
/// The name that `optimizer_from` reads.
[[nodiscard]] std::string_view name_of(OptimizerKind kind);

/// The optimizer and its constants.
struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adamw;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0.01;   ///< of all but biases and layer norms
  bool bias_correction = true;  ///< PyTorch's AdamW; Google's has none
  double max_grad_norm = 1;     ///< of all gradients together; 0: no clipping
};

/// What becomes of the learning rate after the warm-up.
enum class ScheduleKind : std::uint8_t {
  linear,        ///< falls to 0: BERT's, transformers' get_linear_schedule_with_warmup
  cosine,        ///< half a cosine to 0: get_cosine_schedule_with_warmup
  constant,      ///< stays: get_constant_schedule_with_warmup
  one_cycle,     ///< from 1/25 up and down to 1/250,000, both by cosines: PyTorch's OneCycleLR
  inverse_sqrt,  ///< falls with 1 / sqrt(step): Vaswani et al., section 5.3
};

/// Throws ArgumentError for another name than "linear", "cosine", "constant", "one-cycle",
/// "inverse-sqrt".
[[nodiscard]] ScheduleKind schedule_from(std::string_view name);
/// The name that `schedule_from` reads.
[[nodiscard]] std::string_view name_of(ScheduleKind kind);

/// Settings that every kind of training has. `run.json` in the run's directory remembers them.
///
/// From its begin to its end a run has its directory for itself: another one, of this process or of
/// any, throws IoError. A new run changes nothing there before its first step is computed; until
/// then an exception leaves the directory, and an earlier run in it, as it was.
struct TrainingSettings {
  // The run.
  std::filesystem::path output;  ///< the run's directory; in the end it holds the model
  /// Go on from the newest whole checkpoint in `output`, bit for bit as if there had been no stop.
  /// The other settings must be those that the run began with (`finetune_settings_of`), except for
  /// those that change neither batches nor arithmetic.
  bool resume = false;
  /// Replace the run that is in `output`. Nothing is deleted that the run did not write, as its
  /// `run-files.json` lists it. ArgumentError: the directory holds something but no run; an input
  /// of the new run lies in what would be deleted; a file that no run wrote has a name that the new
  /// run needs.
  bool overwrite = false;
  std::int64_t log_every = 20;      ///< steps
  std::int64_t evaluate_every = 0;  ///< steps; 0: after each epoch (fine-tuning), or at the end
  std::int64_t save_every = 0;      ///< steps; 0: with each evaluation (fine-tuning), or by time
  std::int64_t keep = 1;            ///< newest checkpoints kept, besides the best

  // The optimizer.
  double learning_rate = 1e-4;  ///< the peak
  ScheduleKind schedule = ScheduleKind::linear;
  double warmup_ratio = 0;  ///< share of the run, below 1
  double warmup_steps = 0;  ///< optimizer steps instead of a share; 0: `warmup_ratio` counts
  /// Sets both by one number: a share of the run below 1, steps from there on.
  void set_warmup(double warmup) {
    warmup_steps = warmup >= 1 ? warmup : 0;
    warmup_ratio = warmup >= 1 ? 0 : warmup;
  }
  OptimizerSettings optimizer;

  // The computation.
  Precision precision = Precision::best;  ///< of the matrix products: f32, bf16 or best
  bool recompute = false;                 ///< less memory for a third more arithmetic
  std::optional<double> dropout;          ///< probability, instead of the configuration's
  std::uint64_t seed = 0;                 ///< of all that is random
  int threads = 0;                        ///< during the call; 0: `num_threads()` as it is
};

/// What a message is.
enum class MessageKind : std::uint8_t {
  info,     ///< what the run does now
  note,     ///< something about the data or the settings that a person may want to know
  warning,  ///< something that is probably not as it should be
};

/// Whom a run tells what it does; any may be empty. All are called by the thread that called.
struct TrainingCallbacks {
  /// Asked before each step: true ends the run, which is saved and can be resumed.
  std::function<bool()> should_stop;
  /// Told while data is read and models are evaluated. Returning false cancels: the call throws
  /// Cancelled, and the run can be resumed from its last checkpoint.
  ProgressCallback progress;
  /// A sentence for a person.
  std::function<void(MessageKind kind, const std::string& text)> message;
};

}  // namespace cloze

#pragma GCC visibility pop
