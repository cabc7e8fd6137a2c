/// \file
/// What a task is to whoever trains, evaluates or serves it: files become examples, examples become
/// batches, logits become answers and metrics. One file a task implements it; adding a task is
/// adding a file and a line in the table of task_registry.cc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bert/training/task_model.h"
#include "cloze/config.h"
#include "cloze/task_options.h"
#include "cloze/tensor.h"
#include "cloze/tokenizer.h"
#include "datasets/data_source.h"

namespace cloze {

/// What an evaluation found.
struct TaskReport {
  /// In the order of a table; names are the field's: "accuracy", "f1", "matthews_correlation",
  /// "pearson", "exact_match", ... Shares are 0 to 1, except exact_match and f1 of answers, which
  /// are 0 to 100 as in the SQuAD script.
  std::vector<std::pair<std::string, double>> metrics;
  std::string details;       ///< a table for a terminal: by label, by entity type; may be empty
  std::string details_json;  ///< the same as a JSON object: by label, confusion; "{}" for none
  [[nodiscard]] double metric(std::string_view name) const;  ///< ArgumentError if there is none
};

/// The examples of one split, tokenized. A unit is what is batched and shuffled: a text, a pair, a
/// window of a long document, or a group of choices.
class TaskData {
 public:
  TaskData() = default;
  TaskData(const TaskData&) = delete;
  TaskData& operator=(const TaskData&) = delete;
  TaskData(TaskData&&) = delete;
  TaskData& operator=(TaskData&&) = delete;
  virtual ~TaskData() = default;

  [[nodiscard]] virtual std::size_t size() const = 0;      ///< units
  [[nodiscard]] virtual std::size_t examples() const = 0;  ///< as the file counts them
  [[nodiscard]] virtual std::int64_t tokens(std::size_t unit) const = 0;
  /// The units, packed in this order, with their labels where the split has them.
  [[nodiscard]] virtual internal::TaskBatch batch(std::span<const std::size_t> units) const = 0;

  /// The metrics, given each unit's logits: rows of what HeadUnit says, one sequence's (of tokens
  /// and spans a row a token), one group's or one pair's.
  [[nodiscard]] virtual TaskReport evaluate(std::span<const Tensor> logits) const = 0;

  /// The names of the metrics that `evaluate` gives, in its order.
  [[nodiscard]] virtual std::vector<std::string> metric_names() const = 0;

  /// What was predicted of each example, in the file's order, a JSON object each.
  [[nodiscard]] virtual std::vector<std::string> predictions(
      std::span<const Tensor> logits) const = 0;

  /// Sentences for a person about what was read: answers that are not in their context, tags that
  /// were repaired, texts that were cut.
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
};

class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  Task(Task&&) = delete;
  Task& operator=(Task&&) = delete;
  virtual ~Task() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  ///< as `--task` has it
  [[nodiscard]] virtual const internal::HeadKind& head() const = 0;
  [[nodiscard]] virtual internal::TaskLoss loss() const = 0;
  /// The metric that "best model" goes by.
  [[nodiscard]] virtual std::string_view best_metric() const = 0;
  /// Whether more of one of its metrics is better.
  [[nodiscard]] virtual bool greater_is_better(std::string_view metric) const {
    (void)metric;
    return true;
  }

  /// Reads training data: labels are discovered, in the order that transformers' run_glue has
  /// them (sorted), unless `configure`d from a model that has them. Throws IoError, FormatError
  /// (file, line, what, what to do), ArgumentError for examples in memory where files are needed.
  [[nodiscard]] virtual std::unique_ptr<TaskData> read_train(const DataSource& source) = 0;
  /// Reads data to evaluate on; a label that training does not know is an error that names the
  /// line.
  [[nodiscard]] virtual std::unique_ptr<TaskData> read_eval(const DataSource& source) const = 0;

  /// Writes what the task decided into the config of the model to be: id2label, problem_type,
  /// architectures.
  virtual void configure(BertConfig& config) const = 0;

  /// Writes what a model's directory needs besides config, weights and tokenizer.
  virtual void write_files(const std::filesystem::path& directory) const { (void)directory; }
};

/// The task `name`. With `trained` (a fine-tuned model's config) its labels are taken from there.
/// The tokenizer must outlive it. `prompt` goes before each text of sentence embedding. Throws
/// ArgumentError for an unknown name, or options that the task would ignore.
[[nodiscard]] std::unique_ptr<Task> make_task(std::string_view name, const Tokenizer& tokenizer,
                                              const BertConfig& config, const TaskOptions& options,
                                              bool trained, const std::string& prompt = {});

}  // namespace cloze
