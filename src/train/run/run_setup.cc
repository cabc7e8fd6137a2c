#include "train/run/run_setup.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "ops/linear.h"

namespace cloze::internal {
namespace {

/// Throws ModelError for a run that has saved something, of which no checkpoint is whole.
void require_unsaved(const RunDirectory& run, const std::vector<std::string>& complaints) {
  constexpr std::string_view kWaysOut =
      "put a whole copy back to go on, or begin another run in its place (overwrite) or elsewhere";
  if (!complaints.empty()) {
    throw ModelError(fmt::format(
        "{} has no whole checkpoint to go on from ({}{}): {}", excerpt_of_path(run.path()),
        complaints.front(),
        complaints.size() > 1 ? fmt::format(", and {} more", complaints.size() - 1) : "",
        kWaysOut));
  }
  for (const auto* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (!files::exists(run.path() / name)) continue;
    throw ModelError(fmt::format("{} holds a model, but no checkpoint to go on from: {}",
                                 excerpt_of_path(run.path()), kWaysOut));
  }
}

}  // namespace

ThreadsDuringCall::ThreadsDuringCall(int threads, const TrainingCallbacks& callbacks) {
  if (threads == 0) return;
  own_.emplace(threads);
  const auto status = own_->status();
  if (!status.problem.empty()) tell(callbacks, MessageKind::warning, status.problem);
}

void require_usable(const TrainingSettings& settings) {
  constexpr std::int64_t kMostSteps = std::int64_t{1} << 40;
  constexpr double kAlmostOne = 1 - 1e-7, kLargest = 1e30;
  require_count("log-every", settings.log_every, 1, kMostSteps);
  require_count("evaluate-every", settings.evaluate_every, 0, kMostSteps);
  require_count("save-every", settings.save_every, 0, kMostSteps);
  require_count("keep", settings.keep, 1, 1 << 20);
  require_count("threads", settings.threads, 0, kMostThreads);
  require_in_range("learning-rate", settings.learning_rate, 0.0, kLargest);
  require_in_range("warmup", settings.warmup_ratio, 0.0, 1.0);
  require_in_range("warmup", settings.warmup_steps, 0.0, 1e12);
  require_in_range("beta1", settings.optimizer.beta1, 0.0, kAlmostOne);
  require_in_range("beta2", settings.optimizer.beta2, 0.0, kAlmostOne);
  require_in_range("epsilon", settings.optimizer.epsilon, 0.0, kLargest);
  require_in_range("weight-decay", settings.optimizer.weight_decay, 0.0, kLargest);
  require_in_range("max-grad-norm", settings.optimizer.max_grad_norm, 0.0, kLargest);
  if (settings.dropout) require_in_range("dropout", *settings.dropout, 0.0, 0.9);
}

RunDirectory open_run(const TrainingSettings& settings) {
  if (settings.output.empty()) {
    throw ArgumentError("the output is missing: the directory of the run");
  }
  return RunDirectory::open(settings.output, settings.resume      ? ExistingRun::resume
                                             : settings.overwrite ? ExistingRun::overwrite
                                                                  : ExistingRun::refuse);
}

std::optional<std::filesystem::path> checkpoint_to_resume(const RunDirectory& run,
                                                          const TrainingCallbacks& callbacks) {
  std::vector<std::string> complaints;
  auto checkpoint = run.newest_whole(complaints);
  if (!checkpoint) require_unsaved(run, complaints);
  for (const auto& complaint : complaints) tell(callbacks, MessageKind::warning, complaint);
  tell(callbacks, MessageKind::info,
       checkpoint ? fmt::format("resuming from {}", excerpt_of_path(*checkpoint))
                  : "no checkpoint was saved yet: starting from the beginning");
  return checkpoint;
}

DType training_dtype(Precision precision) {
  if (precision == Precision::int8) {
    throw ArgumentError("int8 is for inference: train in f32, bf16 or auto");
  }
  return resolve(precision) == Precision::bf16 ? DType::bf16 : DType::f32;
}

Tokenizer tokenizer_of_vocabulary(const std::filesystem::path& vocabulary, bool cased) {
  if (files::is_directory(vocabulary)) return Tokenizer::from_pretrained(vocabulary);
  return Tokenizer::from_vocabulary_file(vocabulary, {.lowercase = !cased});
}

void tell(const TrainingCallbacks& callbacks, MessageKind kind, const std::string& text) {
  if (callbacks.message) callbacks.message(kind, text);
}

void tell_warnings(const TrainingCallbacks& callbacks, const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) tell(callbacks, MessageKind::warning, warning);
}

}  // namespace cloze::internal
