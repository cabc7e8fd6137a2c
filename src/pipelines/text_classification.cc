#include "cloze/text_classification.h"

#include <utility>

#include <fmt/format.h>

#include "datasets/labels.h"
#include "pipelines/batches.h"
#include "pipelines/scores.h"
#include "tasks/text_classification.h"

namespace cloze {

TextClassificationPipeline::TextClassificationPipeline(BertForSequenceClassification model,
                                                       Tokenizer tokenizer,
                                                       std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

TextClassificationPipeline::TextClassificationPipeline(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

TextClassificationPipeline TextClassificationPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<std::vector<LabelScore>> TextClassificationPipeline::operator()(
    const Texts& texts, const TextClassificationOptions& options,
    const ProgressCallback& progress) const {
  const auto count = internal::checked_top_k(options.top_k);
  const auto kind = internal::score_kind(config(), options.function_to_apply);
  const auto sequences = internal::tokenize(tokenizer(), texts, options.limits, max_length());
  const auto logits = internal::sequence_rows(
      sequences, {"classifying", "texts", batch_tokens(), progress}, model());
  std::vector<std::vector<LabelScore>> results(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto scores = label_scores(logits[i].values<float>(), kind);
    for (const auto& [label, score] : best_labels(scores, count)) {
      results[i].push_back({label_of(config(), label), score, label});
    }
  }
  return results;
}

}  // namespace cloze
