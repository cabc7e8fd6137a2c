#include "cloze/text_ranking.h"

#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "pipelines/batches.h"
#include "pipelines/scores.h"

namespace cloze {

namespace {

void require_one_score(const BertConfig& config, std::string_view model) {
  if (config.num_labels() <= 2) return;
  throw WrongPipeline(
      fmt::format("{} has {} labels, and ranking needs one output, or two (no, yes): use "
                  "TextClassificationPipeline",
                  model, config.num_labels()),
      "text-classification");
}

}  // namespace

CrossEncoder::CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer,
                           std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {
  require_one_score(config(), "the model");
}

CrossEncoder::CrossEncoder(const std::filesystem::path& directory_or_name,
                           const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {
  require_one_score(config(), directory_or_name.string());
}

CrossEncoder CrossEncoder::from_pretrained(const std::filesystem::path& directory_or_name,
                                           const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<double> CrossEncoder::predict(const Texts& pairs, const CrossEncoderOptions& options,
                                          const ProgressCallback& progress) const {
  internal::require_pairs(pairs, true, options.limits.name);
  const auto kind = internal::score_kind(config(), options.function_to_apply);
  const auto sequences = internal::tokenize(tokenizer(), pairs, options.limits, max_length());
  const auto logits =
      internal::sequence_rows(sequences, {"ranking", "pairs", batch_tokens(), progress}, model());
  std::vector<double> scores;
  scores.reserve(logits.size());
  for (const auto& row : logits) scores.push_back(label_scores(row.values<float>(), kind).back());
  return scores;
}

std::vector<RankedDocument> CrossEncoder::rank(std::string_view query, const Texts& documents,
                                               const RankOptions& options,
                                               const ProgressCallback& progress) const {
  const auto count = internal::checked_top_k(options.top_k);
  internal::require_pairs(documents, false, options.limits.name);
  std::vector<TextPair> pairs;
  pairs.reserve(documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) pairs.push_back({query, documents[i].first});
  const auto scores = predict(
      pairs, {.function_to_apply = options.function_to_apply, .limits = options.limits}, progress);
  std::vector<RankedDocument> ranked;
  for (const auto& [index, score] : best_labels(scores, count)) ranked.push_back({index, score});
  return ranked;
}

}  // namespace cloze
