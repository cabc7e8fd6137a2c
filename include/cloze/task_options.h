/// \file
/// The tasks that a BERT is fine-tuned for, and how their data is read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)
namespace cloze {

/// How the answers to questions are compared with the right ones.
enum class AnswerMetrics : std::uint8_t {
  automatic,  ///< cmrc where the right answers are mostly in Chinese, else squad
  squad,      ///< by words, as SQuAD's script does it
  cmrc        ///< by characters, as CMRC 2018's script does it, for Chinese
};
/// "auto", "squad" or "cmrc". Throws ArgumentError for another name.
[[nodiscard]] AnswerMetrics answer_metrics_from(std::string_view name);
[[nodiscard]] std::string_view name_of(AnswerMetrics metrics);  ///< the other way round

/// How a task reads its files and texts; members that mean nothing to a task are ignored by it,
/// and setting those that would change nothing is an ArgumentError.
struct TaskOptions {
  std::int64_t max_length =
      0;  ///< tokens of a sequence; 0: the task's default, the model's at most
  // Tables (TSV, CSV, JSONL): names of columns, or numbers from 1; empty: found by the header, or
  // by what the file looks like.
  std::string text_column{}, pair_column{}, label_column{};
  bool multi_label = false;      ///< labels of a row are several, parted by commas or a JSON list
  std::int64_t stride = 128;     ///< question answering, long texts: tokens that windows share
  bool document_context = true;  ///< token classification: neighbouring sentences fill the window
  bool version_2 = false;        ///< question answering: some questions have no answer
  AnswerMetrics answer_metrics = AnswerMetrics::automatic;  ///< question answering
  std::int64_t max_samples = 0;  ///< the first so many examples alone; 0: all
};

/// A task by the name that `FinetuneSettings::task` has.
struct TaskInfo {
  std::string_view name;      ///< "text-classification", ...
  std::string_view about;     ///< what it says of a text
  std::string_view pipeline;  ///< which answers with such a model: "text-ranking", ...
};

/// All tasks, in the order of the documentation.
[[nodiscard]] std::span<const TaskInfo> tasks();

}  // namespace cloze

#pragma GCC visibility pop
