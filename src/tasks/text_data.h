/// \file
/// The data of the tasks that say one thing of each text or pair of a table: what they share is
/// here, what the thing is comes from the task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/labelled_text.h"
#include "tasks/task.h"
#include "tasks/task_setup.h"
#include "tasks/text_units.h"

namespace cloze {

/// What a file says of its texts, and how a model's logits are held against it.
class TextLabels {
 public:
  TextLabels() = default;
  TextLabels(const TextLabels&) = delete;
  TextLabels& operator=(const TextLabels&) = delete;
  TextLabels(TextLabels&&) = delete;
  TextLabels& operator=(TextLabels&&) = delete;
  virtual ~TextLabels() = default;

  /// Appends what the file says of a text to a batch's labels or targets.
  virtual void append_to(internal::TaskBatch& batch, std::size_t text) const = 0;
  /// `logits` of every text: [1, outputs].
  [[nodiscard]] virtual TaskReport evaluate(std::span<const Tensor> logits) const = 0;
  /// The names of its metrics, in their order.
  [[nodiscard]] virtual std::vector<std::string> metric_names() const = 0;
  /// The line of `--predictions` for a text.
  [[nodiscard]] virtual std::string prediction(std::size_t text, std::int64_t line,
                                               std::span<const float> logits) const = 0;
};

/// `what` the texts are called: "texts", "pairs".
[[nodiscard]] std::unique_ptr<TaskData> text_data(TextUnits units,
                                                  std::unique_ptr<TextLabels> labels,
                                                  std::string_view what);

/// The reader of examples in memory, or of a table whose columns the task's options name.
[[nodiscard]] LabelledTextReader open_table(const DataSource& source, const TaskOptions& options,
                                            LabelledTextOptions table = {});

/// Throws ModelError for a trained model with several outputs.
void require_one_output(const TaskSetup& setup, std::string_view task);

}  // namespace cloze
