/// \file
/// How a run of any kind begins: its directory, the checkpoint to go on from, the tokenizer of a
/// vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "cloze/training.h"
#include "core/parallel.h"
#include "ops/linear.h"
#include "train/run/run_directory.h"

namespace cloze::internal {

/// While it lives, the calling thread computes with so many threads of its own; 0: with those of
/// the process.
class ThreadsDuringCall {
 public:
  /// Warns where the system gives fewer.
  ThreadsDuringCall(int threads, const TrainingCallbacks& callbacks);

 private:
  std::optional<OwnThreads> own_;
};

/// Throws ArgumentError for a setting outside [least, most]; `name` is that of `run.json`.
template <class Number>
void require_in_range(std::string_view name, Number value, Number least, Number most) {
  if (value >= least && value <= most) return;  // not so for what is no number
  throw ArgumentError(fmt::format("{} is {}: it must be {} to {}", name, value, least, most));
}
inline void require_count(std::string_view name, std::int64_t value, std::int64_t least,
                          std::int64_t most) {
  require_in_range(name, value, least, most);
}

/// Throws ArgumentError for numbers that no run can have.
void require_usable(const TrainingSettings& settings);

/// Opens `settings.output`. Throws ArgumentError as RunDirectory::open, and for no output.
[[nodiscard]] RunDirectory open_run(const TrainingSettings& settings);

/// The newest whole checkpoint of a resumed run, and a message about it and every damaged one;
/// nothing where the run has not come to its first. Throws ModelError where it has, and none is
/// whole: to begin from nothing would replace what the run has made.
[[nodiscard]] std::optional<std::filesystem::path> checkpoint_to_resume(
    const RunDirectory& run, const TrainingCallbacks& callbacks);

/// What a run computes in: "best" means one thing as long as a run lasts, which is settled on the
/// machine where it begins. `settings_of` reads the settings of the run that is resumed. Throws
/// ModelError where this machine cannot go on in what the run computes in.
template <class Settings>
[[nodiscard]] Settings with_settled_precision(
    Settings settings, Settings (*settings_of)(const std::filesystem::path& run)) {
  const bool resumes = settings.resume && !settings.output.empty();
  if (settings.precision == Precision::best) {
    settings.precision =
        resumes ? settings_of(settings.output).precision : resolve(settings.precision);
  }
  if (resumes && settings.precision == Precision::bf16 && !ops::accelerates(DType::bf16)) {
    throw ModelError(
        "the run computes in bf16 since it began, for which this machine has no instructions: "
        "resume "
        "it on one that has, or begin another run in f32 from its model");
  }
  return settings;
}

/// What training computes in on this machine. Throws ArgumentError for int8.
[[nodiscard]] DType training_dtype(Precision precision);

/// The tokenizer of a vocabulary: a `vocab.txt`, or a directory with one. Throws as
/// Tokenizer::from_pretrained does.
[[nodiscard]] Tokenizer tokenizer_of_vocabulary(const std::filesystem::path& vocabulary,
                                                bool cased);

/// Hands on a message, if there is somebody to hear it.
void tell(const TrainingCallbacks& callbacks, MessageKind kind, const std::string& text);
void tell_warnings(const TrainingCallbacks& callbacks, const std::vector<std::string>& warnings);

}  // namespace cloze::internal
