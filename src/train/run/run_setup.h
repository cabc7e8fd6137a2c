/// \file
/// How a run of any kind begins: its directory, the checkpoint to go on from, the tokenizer of a
/// vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "cloze/training.h"
#include "core/parallel.h"
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
