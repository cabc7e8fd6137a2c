/// \file
/// What the commands that train share: how they speak, stop on a signal, and take up a run.
#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "train/run_directory.h"

namespace cloze::cli {

/// A line on standard error.
void say(const std::string& text);

/// While it lives, the first SIGINT or SIGTERM is noted; a second one ends the process.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  StopOnSignal(StopOnSignal&&) = delete;
  StopOnSignal& operator=(StopOnSignal&&) = delete;
  ~StopOnSignal();

  [[nodiscard]] static bool requested();

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_{};
};

/// What `--dtype` (f32, bf16, auto) means on this machine.
[[nodiscard]] DType training_dtype(const std::string& dtype);

/// What --resume and --overwrite say of an output that is there.
[[nodiscard]] ExistingRun existing_run(bool resume, bool overwrite);

/// The newest whole checkpoint of a resumed run; complaints about others are printed.
[[nodiscard]] std::optional<std::int64_t> checkpoint_to_resume(const RunDirectory& run);

/// The tokenizer of a vocabulary: a `vocab.txt`, or a directory with one. Throws as
/// Tokenizer::from_pretrained does.
[[nodiscard]] Tokenizer tokenizer_of_vocabulary(const std::filesystem::path& vocabulary,
                                                bool cased);

/// 75 → "1:15".
[[nodiscard]] std::string clock_text(double seconds);

}  // namespace cloze::cli
