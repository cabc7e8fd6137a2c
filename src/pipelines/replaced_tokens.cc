#include "cloze/replaced_tokens.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "pipelines/batches.h"

namespace cloze {
namespace {

std::vector<CheckedToken> checked(const Tokenizer& tokenizer, const Texts::Text& text,
                                  std::span<const float> logits, std::int64_t limit) {
  const EncodeOptions options{.truncation = Truncation::longest_first,
                              .max_length = static_cast<std::int32_t>(limit),
                              .overflowing = false};
  const auto encoding = text.second ? tokenizer.encode(text.first, *text.second, options)
                                    : tokenizer.encode(text.first, options);
  std::int32_t last = 0;  // of the code points that are asked for
  for (const auto& place : encoding.offsets) last = std::max(last, place.end);
  const auto most = static_cast<std::size_t>(last) + 1;
  const auto first = internal::code_point_bounds(text.first, most);
  const auto second = internal::code_point_bounds(text.second.value_or(""), most);
  std::vector<CheckedToken> tokens;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    if (encoding.sequence_ids[i] < 0) continue;  // [CLS], [SEP]
    CheckedToken token{.token = std::string(tokenizer.id_to_token(encoding.ids[i])),
                       .id = encoding.ids[i],
                       .score = 1 / (1 + std::exp(-double{logits[i]})),
                       .logit = logits[i],
                       .in_pair = encoding.sequence_ids[i] == 1,
                       .offsets = encoding.offsets[i]};
    token.byte_offsets = internal::bytes_of(token.offsets, token.in_pair ? second : first);
    tokens.push_back(std::move(token));
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
