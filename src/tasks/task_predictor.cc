#include "tasks/task_predictor.h"

#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "bert/head_model.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/strings.h"

namespace cloze {
namespace {

using internal::HeadKind;
namespace heads = internal::heads;

/// "TextClassificationPipeline" of "text-classification".
std::string pipeline_class(const HeadKind& head) {
  std::string name;
  bool capital = true;
  for (const char c : head.pipeline) {
    if (c != '-') name += capital ? static_cast<char>(c - 'a' + 'A') : c;
    capital = c == '-';
  }
  return name + "Pipeline";
}

}  // namespace

const HeadKind& task_head_of(const BertConfig& config, const std::filesystem::path& directory,
                             std::span<const HeadKind> heads) {
  for (const auto& head : heads) {
    if (head.by_architecture() && internal::states(config, head)) return head;
  }
  if (sentence_settings(directory)) return heads::sentence_embedding;
  throw ModelError(fmt::format(
      "{} is {}, a model that was not fine-tuned for a task: choose one that was, or make it with "
      "cloze finetune",
      directory.string(),
      config.architectures.empty() ? "without an architecture in its config.json"
                                   : excerpt_of_list(config.architectures)));
}

std::string task_of(const BertConfig& config, const std::filesystem::path& directory) {
  const auto& head = task_head_of(config, directory);
  if (&head == &heads::sequence_classification) {
    if (config.problem_type == "regression") return "regression";
    if (config.num_labels() == 1) return "ranking";
  }
  return std::string(head.task);
}

void require_made_for(const BertConfig& config, const std::filesystem::path& directory,
                      const HeadKind& wanted) {
  if (internal::states(config, wanted)) return;
  const auto family = internal::family_of(config);
  for (const auto& other : internal::kHeads) {
    if (!other.by_architecture() || !internal::states(config, other)) continue;
    throw WrongPipeline(
        fmt::format("{} is a {}, which answers by {}; this needs a {}", directory.string(),
                    internal::architecture_of(other, family), pipeline_class(other),
                    internal::architecture_of(wanted, family)),
        std::string(other.pipeline));
  }
}

TaskPredictor::TaskPredictor(const std::filesystem::path& directory, const HeadKind& head,
                             const LoadOptions& options, std::int64_t batch_tokens)
    : model_(internal::HeadModel::from_pretrained(directory, head, options)),
      batch_tokens_(batch_tokens) {}

const BertConfig& TaskPredictor::config() const { return model_->config(); }

Tensor TaskPredictor::operator()(const Batch& batch) const { return model_->logits(batch); }

std::vector<Tensor> TaskPredictor::predict(std::span<const TokenizedText> texts,
                                           const OnBatch& on_batch) const {
  const bool by_token = internal::row_per_token(model_->head().unit);
  std::vector<Tensor> result(texts.size());
  for (const auto& indices : plan_batches(texts, batch_tokens_)) {
    const auto batch = pack(texts, indices);
    const auto logits = (*this)(batch);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      result[indices[i]] = by_token ? logits.rows(batch.cu_seqlens[i], batch.cu_seqlens[i + 1])
                                    : logits.rows(at, at + 1);
    }
    if (on_batch) on_batch(indices.size());
  }
  return result;
}

std::vector<Tensor> TaskPredictor::predict(const TaskData& data, const OnBatch& on_batch) const {
  std::vector<std::int64_t> lengths(data.size());
  for (std::size_t unit = 0; unit < data.size(); ++unit) lengths[unit] = data.tokens(unit);
  std::vector<Tensor> result(data.size());
  for (const auto& units : plan_batches(lengths, batch_tokens_)) {
    const auto batch = data.batch(units);
    const auto logits = (*this)(batch.inputs);
    const auto rows = internal::rows_of_units(model_->head(), batch);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      result[units[i]] = logits.rows(row, row + rows.at(i));
      row += rows[i];
    }
    if (on_batch) on_batch(units.size());
  }
  return result;
}

}  // namespace cloze
