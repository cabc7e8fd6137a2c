#include "tasks/task_predictor.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "sentence/pooling.h"

namespace cloze {
namespace {

using internal::TaskHead;

template <class Model>
Model load(const std::filesystem::path& directory, const LoadOptions& options) {
  return Model::from_pretrained(directory, options);
}

/// Start and end logits as rows of two.
Tensor joined(const BertForQuestionAnswering::Output& output) {
  const auto start = output.start_logits.values<float>();
  const auto end = output.end_logits.values<float>();
  auto both = Tensor::zeros(DType::f32, {output.start_logits.dim(0), 2});
  const auto values = both.mutable_values<float>();
  for (std::size_t i = 0; i < start.size(); ++i) {
    values[2 * i] = start[i];
    values[2 * i + 1] = end[i];
  }
  return both;
}

}  // namespace

TaskHead task_head_of(const BertConfig& config, const std::filesystem::path& directory) {
  for (const auto& [name, head] : {std::pair{"BertForSequenceClassification", TaskHead::sequence},
                                   std::pair{"BertForTokenClassification", TaskHead::token},
                                   std::pair{"BertForQuestionAnswering", TaskHead::span},
                                   std::pair{"BertForMultipleChoice", TaskHead::choice}}) {
    const auto& all = config.architectures;
    if (std::find(all.begin(), all.end(), name) != all.end()) return head;
  }
  if (sentence_settings(directory)) return TaskHead::embedding;
  throw ModelError(fmt::format(
      "{} is {}, a model that was not fine-tuned for a task: choose one that was, or make it with "
      "cloze finetune",
      directory.string(),
      config.architectures.empty() ? "without an architecture in its config.json"
                                   : fmt::format("{}", fmt::join(config.architectures, ", "))));
}

std::string task_of(const BertConfig& config, const std::filesystem::path& directory) {
  switch (task_head_of(config, directory)) {
    case TaskHead::sequence:
      if (config.problem_type == "regression") return "regression";
      return config.num_labels() == 1 ? "ranking" : "text-classification";
    case TaskHead::token:
      return "token-classification";
    case TaskHead::span:
      return "question-answering";
    case TaskHead::choice:
      return "multiple-choice";
    case TaskHead::embedding:
      return "sentence-embedding";
  }
  return "";
}

TaskPredictor::TaskPredictor(const std::filesystem::path& directory, TaskHead head,
                             const LoadOptions& options, std::int64_t batch_tokens)
    : head_(head),
      model_([&]() -> Model {
        switch (head) {
          case TaskHead::sequence:
            return load<BertForSequenceClassification>(directory, options);
          case TaskHead::token:
            return load<BertForTokenClassification>(directory, options);
          case TaskHead::span:
            return load<BertForQuestionAnswering>(directory, options);
          case TaskHead::embedding:
            return load<BertModel>(directory, options);
          case TaskHead::choice:
            break;
        }
        return load<BertForMultipleChoice>(directory, options);
      }()),
      batch_tokens_(batch_tokens) {}

const BertConfig& TaskPredictor::config() const {
  return std::visit([](const auto& model) -> const BertConfig& { return model.config(); }, model_);
}

Tensor TaskPredictor::operator()(const Batch& batch) const {
  switch (head_) {
    case TaskHead::sequence:
      return std::get<BertForSequenceClassification>(model_)(batch);
    case TaskHead::token:
      return std::get<BertForTokenClassification>(model_)(batch);
    case TaskHead::span:
      return joined(std::get<BertForQuestionAnswering>(model_)(batch));
    case TaskHead::embedding:
      return pool(std::get<BertModel>(model_)(batch).last_hidden_state, batch, Pooling::mean);
    case TaskHead::choice:
      break;
  }
  return std::get<BertForMultipleChoice>(model_)(batch, 1);  // [sequences, 1]
}

std::vector<Tensor> TaskPredictor::predict(std::span<const TokenizedText> texts,
                                           const OnBatch& on_batch) const {
  const bool by_token = head_ == TaskHead::token || head_ == TaskHead::span;
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
    const auto& bounds = batch.inputs.cu_seqlens;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      std::int64_t rows = 1;
      if (head_ == TaskHead::token || head_ == TaskHead::span) rows = bounds[i + 1] - bounds[i];
      if (head_ == TaskHead::choice) rows = batch.choices[i];
      if (head_ == TaskHead::embedding) rows = 2;
      result[units[i]] = logits.rows(row, row + rows);
      row += rows;
    }
    if (on_batch) on_batch(units.size());
  }
  return result;
}

}  // namespace cloze
