#include "cloze/next_sentence.h"

#include <cmath>
#include <utility>

#include "pipelines/batches.h"

namespace cloze {

NextSentencePipeline::NextSentencePipeline(BertForNextSentencePrediction model, Tokenizer tokenizer,
                                           std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

NextSentencePipeline::NextSentencePipeline(const std::filesystem::path& directory_or_name,
                                           const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

NextSentencePipeline NextSentencePipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<NextSentenceScore> NextSentencePipeline::operator()(
    const Texts& pairs, const NextSentenceOptions& options,
    const ProgressCallback& progress) const {
  internal::require_pairs(pairs, true, options.limits.name);
  const auto sequences = internal::tokenize(tokenizer(), pairs, options.limits, max_length());
  const auto logits = internal::sequence_rows(
      sequences, {"predicting", "pairs", batch_tokens(), progress}, model());
  std::vector<NextSentenceScore> scores;
  for (const auto& row : logits) {
    // Softmax of the head's two logits, of which 0 means "is next".
    const double next = row.values<float>()[0], random = row.values<float>()[1];
    scores.push_back({.is_next = 1.0 / (1.0 + std::exp(random - next))});
  }
  return scores;
}

}  // namespace cloze
