/// \file
/// A fine-tuned model that answers: whichever head it has, units in, logits out, in batches by
/// token budget, at any precision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bert/training/task_model.h"
#include "cloze/bert.h"
#include "datasets/batching.h"
#include "tasks/task.h"

namespace cloze {

/// The head that a model's config says it has ("BertForSequenceClassification", ...). Throws
/// ModelError, naming the directory, for none of them.
[[nodiscard]] internal::TaskHead task_head_of(const BertConfig& config,
                                              const std::filesystem::path& directory);

/// The task that a fine-tuned model was made for, as `make_task` names it, from its config: its
/// head, `problem_type` and number of labels.
[[nodiscard]] std::string task_of(const BertConfig& config, const std::filesystem::path& directory);

class TaskPredictor {
 public:
  /// Throws as the models' from_pretrained (ModelError for a checkpoint without this head).
  TaskPredictor(const std::filesystem::path& directory, internal::TaskHead head,
                const LoadOptions& options, std::int64_t batch_tokens);

  [[nodiscard]] const BertConfig& config() const;

  /// Logits of a batch: rows as TaskHead says.
  [[nodiscard]] Tensor operator()(const Batch& batch) const;

  /// Told after each batch how many of the units it held.
  using OnBatch = std::function<void(std::size_t units)>;

  /// Logits of each sequence, in their order: [1, labels], or a row a token.
  [[nodiscard]] std::vector<Tensor> predict(std::span<const TokenizedText> texts,
                                            const OnBatch& on_batch = {}) const;

  /// Logits of each unit of a task's data, as TaskData::evaluate takes them.
  [[nodiscard]] std::vector<Tensor> predict(const TaskData& data,
                                            const OnBatch& on_batch = {}) const;

 private:
  using Model = std::variant<BertForSequenceClassification, BertForTokenClassification,
                             BertForQuestionAnswering, BertForMultipleChoice, BertModel>;
  internal::TaskHead head_;
  Model model_;
  std::int64_t batch_tokens_;
};

}  // namespace cloze
