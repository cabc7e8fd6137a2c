#include "cloze/replaced_tokens.h"

#include <cmath>
#include <utility>

#include "pipelines/batches.h"
#include "pipelines/token_places.h"

namespace cloze {
namespace {

std::vector<CheckedToken> checked(const Tokenizer& tokenizer, const Texts::Text& text,
                                  std::span<const float> logits, std::int64_t limit) {
  const internal::TokenPlaces places(tokenizer, text, limit);
  const auto& encoding = places.encoding();
  std::vector<CheckedToken> tokens;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    if (encoding.sequence_ids[i] < 0) continue;  // [CLS], [SEP]
    tokens.push_back({.token = std::string(tokenizer.id_to_token(encoding.ids[i])),
                      .id = encoding.ids[i],
                      .score = 1 / (1 + std::exp(-double{logits[i]})),
                      .logit = logits[i],
                      .in_pair = places.in_pair(i),
                      .offsets = places.offsets(i),
                      .byte_offsets = places.byte_offsets(i)});
  }
  return tokens;
}

}  // namespace

ReplacedTokensPipeline::ReplacedTokensPipeline(ElectraForPreTraining model, Tokenizer tokenizer,
                                               std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

ReplacedTokensPipeline::ReplacedTokensPipeline(const std::filesystem::path& directory_or_name,
                                               const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

ReplacedTokensPipeline ReplacedTokensPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<std::vector<CheckedToken>> ReplacedTokensPipeline::operator()(
    const Texts& texts, const TextLimits& limits, const ProgressCallback& progress) const {
  const auto limit = internal::length_limit(limits.max_length, max_length());
  const auto sequences = internal::tokenize(tokenizer(), texts, limits, max_length());
  const auto logits = internal::token_rows(
      sequences, {"checking", "texts", batch_tokens(), progress}, [&](const Batch& batch) {
        return model()(batch).reshaped({batch.total_tokens(), 1});
      });
  std::vector<std::vector<CheckedToken>> results;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    results.push_back(checked(tokenizer(), texts[i], logits[i].values<float>(), limit));
  }
  return results;
}

}  // namespace cloze
