/// \file
/// A fine-tuned model that answers: whichever head it has, units in, logits out, in batches by
/// token budget, at any precision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bert/head_table.h"
#include "cloze/bert.h"
#include "datasets/batching.h"
#include "tasks/task.h"

namespace cloze {

/// The head that a model was fine-tuned with, by the `architectures` of its config; of a
/// sentence-transformers directory that for sentence vectors. Throws ModelError, naming the
/// directory, for none of them.
[[nodiscard]] const internal::HeadKind& task_head_of(
    const BertConfig& config, const std::filesystem::path& directory,
    std::span<const internal::HeadKind> heads = internal::kHeads);

/// The task that a fine-tuned model was made for, as `make_task` names it, from its config: its
/// head, `problem_type` and number of labels.
[[nodiscard]] std::string task_of(const BertConfig& config, const std::filesystem::path& directory);

/// Heads share the names of their tensors: what a model was fine-tuned for stands in its config
/// alone. Throws WrongPipeline for a model of another head than `wanted`.
void require_made_for(const BertConfig& config, const std::filesystem::path& directory,
                      const internal::HeadKind& wanted);

class TaskPredictor {
 public:
  /// Throws as the models' from_pretrained (ModelError for a checkpoint without this head).
  TaskPredictor(const std::filesystem::path& directory, const internal::HeadKind& head,
                const LoadOptions& options, std::int64_t batch_tokens);

  [[nodiscard]] const BertConfig& config() const;

  /// Logits of a batch: rows as HeadUnit says.
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
  std::shared_ptr<const internal::HeadModel> model_;
  std::int64_t batch_tokens_;
};

}  // namespace cloze
