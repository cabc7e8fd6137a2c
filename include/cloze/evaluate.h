/// \file
/// Evaluation: a fine-tuned model's metrics on labelled data, those of the field for its task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cloze/bert.h"
#include "cloze/examples.h"
#include "cloze/progress.h"
#include "cloze/task_options.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What is evaluated, and on what.
struct EvaluateSettings {
  std::string model{};               ///< a fine-tuned model: a directory, or a name on the Hub
  std::filesystem::path data{};      ///< the file to evaluate on, as `finetune` reads it
  std::string task{};                ///< empty: what the model was made for
  TaskOptions options{};             ///< how the file is read
  LoadOptions load{};                ///< the precision
  std::int64_t batch_tokens = 8192;  ///< computed at once: more is faster and takes more memory
  bool predictions = false;          ///< whether the result has them
};

/// What an evaluation found.
struct EvaluateResult {
  std::string task;
  std::size_t examples = 0;
  /// In the order of a table; names are the field's: "accuracy", "f1", "matthews_correlation",
  /// "pearson", "exact_match", ... Shares are 0 to 1, except exact_match and f1 of answers, which
  /// are 0 to 100 as in the SQuAD script.
  std::vector<std::pair<std::string, double>> metrics;
  std::string details;       ///< a table for a terminal: by label, by entity type; may be empty
  std::string details_json;  ///< the same as a JSON object, "{}" for none
  std::vector<std::string> notes;        ///< sentences for a person about what was read
  std::vector<std::string> predictions;  ///< on request, a JSON object an example

  /// Throws ArgumentError if there is no such metric.
  [[nodiscard]] double metric(std::string_view name) const;
};

/// Throws IoError, FormatError (file, line, what, what to do), ModelError (not a model of the task,
/// labels that it does not know), ArgumentError (no such task, options that it would ignore).
[[nodiscard]] EvaluateResult evaluate(const EvaluateSettings& settings,
                                      const ProgressCallback& progress = {});
/// The same on examples in memory, an array of the struct that the task reads (examples.h);
/// `settings.data` must be empty. Throws ArgumentError also for another struct.
[[nodiscard]] EvaluateResult evaluate(const EvaluateSettings& settings, const Examples& examples,
                                      const ProgressCallback& progress = {});

}  // namespace cloze

#pragma GCC visibility pop
