/// \file
/// How a run of any kind begins: its directory, the checkpoint to go on from, the tokenizer of a
/// vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "cloze/training.h"
#include "train/run/run_directory.h"

namespace cloze::internal {

/// While it lives, the calling thread computes with so many threads; 0: with as many as before.
class ThreadsDuringCall {
 public:
  explicit ThreadsDuringCall(int threads);
  ThreadsDuringCall(const ThreadsDuringCall&) = delete;
  ThreadsDuringCall& operator=(const ThreadsDuringCall&) = delete;
  ThreadsDuringCall(ThreadsDuringCall&&) = delete;
  ThreadsDuringCall& operator=(ThreadsDuringCall&&) = delete;
  ~ThreadsDuringCall();

 private:
  int threads_, before_;
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

/// The newest whole checkpoint of a resumed run, and a message about it and every damaged one.
[[nodiscard]] std::optional<std::int64_t> checkpoint_to_resume(const RunDirectory& run,
                                                               const TrainingCallbacks& callbacks);

/// What training computes in on this machine. Throws ArgumentError for int8.
[[nodiscard]] DType training_dtype(Precision precision);

/// The tokenizer of a vocabulary: a `vocab.txt`, or a directory with one. Throws as
/// Tokenizer::from_pretrained does.
[[nodiscard]] Tokenizer tokenizer_of_vocabulary(const std::filesystem::path& vocabulary,
                                                bool cased);

/// Hands on a message, if there is somebody to hear it.
void tell(const TrainingCallbacks& callbacks, MessageKind kind, const std::string& text);

}  // namespace cloze::internal
