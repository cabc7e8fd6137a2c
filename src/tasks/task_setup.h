/// \file
/// What every task is made from, and what the registry makes. Include this in a task's file; users
/// of tasks need task.h alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cloze/config.h"
#include "cloze/tokenizer.h"
#include "tasks/task.h"

namespace cloze {

struct TaskSetup {
  const Tokenizer* tokenizer = nullptr;  ///< outlives the task
  BertConfig config;                     ///< of the model to start from, or of the trained one
  TaskOptions options;
  bool trained = false;  ///< the config's labels are the task's
  std::string prompt{};  ///< of sentence embedding: what goes before each text

  /// Tokens that the model reads, or its tokenizer says it should get.
  [[nodiscard]] std::int64_t model_limit() const;
  /// `options.max_length`, else `usual` (0: the limit), at most the limit. Throws ArgumentError for
  /// a `max_length` beyond the limit.
  [[nodiscard]] std::int64_t max_length(std::int64_t usual = 0) const;
};

[[nodiscard]] std::unique_ptr<Task> make_text_classification(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_regression(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_ranking(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_token_classification(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_question_answering(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_multiple_choice(TaskSetup setup);
[[nodiscard]] std::unique_ptr<Task> make_sentence_embedding(TaskSetup setup);

/// Throws ArgumentError unless there are as many logits as units.
void require_logits(std::span<const Tensor> logits, const TaskData& data);

}  // namespace cloze
