#include "cloze/fill_mask.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "pipelines/batches.h"
#include "pipelines/token_places.h"
#include "tasks/top_tokens.h"

namespace cloze {
namespace {

/// Logits are positions × vocabulary: a batch this long needs 125 MB of them at worst.
constexpr std::int64_t most_batch_tokens = 1024;

void require_mask(const Tokenizer& tokenizer) {
  if (tokenizer.mask_token_id()) return;
  throw ModelError("the tokenizer has no mask token, so there is nothing to fill");
}

std::vector<std::int32_t> positions_of(std::span<const std::int32_t> ids, std::int32_t mask) {
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == mask) positions.push_back(static_cast<std::int32_t>(i));
  }
  return positions;
}

/// The masks of a text, at `positions` of its tokens, and where they stand in it.
std::vector<FilledMask> masks_of(const Tokenizer& tokenizer, const Texts::Text& text,
                                 std::span<const std::int32_t> positions, std::int64_t limit) {
  std::vector<FilledMask> masks;
  if (positions.empty()) return masks;
  const internal::TokenPlaces places(tokenizer, text, limit);
  for (const auto position : positions) {
    const auto token = static_cast<std::size_t>(position);
    FilledMask mask{.position = position, .in_pair = places.in_pair(token)};
    mask.offsets = places.offsets(token);
    mask.byte_offsets = places.byte_offsets(token);
    masks.push_back(std::move(mask));
  }
  return masks;
}

/// The best tokens by these logits, of the first `words` or of the `targets` alone.
std::vector<TokenProbability> best_tokens(std::span<const float> logits, std::size_t words,
                                          std::span<const std::int32_t> targets,
                                          std::size_t count) {
  if (targets.empty()) return top_tokens(logits, words, count);
  const double total = log_sum_exp(logits);
  std::vector<TokenProbability> best;
  for (const auto id : targets) {
    best.push_back({id, std::exp(logits[static_cast<std::size_t>(id)] - total)});
  }
  std::stable_sort(best.begin(), best.end(),
                   [](const auto& a, const auto& b) { return a.probability > b.probability; });
  best.resize(std::min(best.size(), count));
  return best;
}

}  // namespace

FillMaskPipeline::FillMaskPipeline(BertForMaskedLM model, Tokenizer tokenizer,
                                   std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {
  require_mask(this->tokenizer());
}

FillMaskPipeline::FillMaskPipeline(const std::filesystem::path& directory_or_name,
                                   const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {
  require_mask(tokenizer());
}

FillMaskPipeline FillMaskPipeline::from_pretrained(const std::filesystem::path& directory_or_name,
                                                   const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<std::vector<FilledMask>> FillMaskPipeline::operator()(
    const Texts& texts, const FillMaskOptions& options, const ProgressCallback& progress) const {
  // A model may have more rows than the tokenizer has tokens (padding of the matrix): not words.
  const auto words = std::min<std::int64_t>(config().vocab_size, tokenizer().vocab_size());
  if (options.top_k < 1 || options.top_k > words) {
    throw ArgumentError(
        fmt::format("the best {} tokens were asked for; it can be 1 to {}", options.top_k, words));
  }
  std::vector<std::int32_t> targets;
  for (const auto& target : resolve(options.targets)) {
    if (target.id >= 0 && target.id < words) targets.push_back(target.id);
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  if (targets.empty() && !options.targets.empty()) {
    throw ArgumentError("none of the targets has a token in the vocabulary: give other words");
  }

  const auto mask = *tokenizer().mask_token_id();
  const auto sequences = internal::tokenize(tokenizer(), texts, options.limits, max_length());
  const auto limit = internal::length_limit(options.limits.max_length, max_length());
  std::vector<std::vector<FilledMask>> result(texts.size());
  const auto fill = [&](const Batch& batch, std::span<const std::size_t> indices) {
    const auto positions = positions_of(batch.input_ids, mask);
    if (positions.empty()) return;
    const auto logits = model()(batch, positions);
    const auto width = static_cast<std::size_t>(logits.dim(1));
    std::size_t row = 0;
    for (const auto index : indices) {
      auto ids = sequences[index].ids;
      result[index] = masks_of(tokenizer(), texts[index], positions_of(ids, mask), limit);
      const bool single = result[index].size() == 1;
      for (auto& filled : result[index]) {
        const auto values = logits.values<float>().subspan(row++ * width, width);
        auto& token = ids[static_cast<std::size_t>(filled.position)];
        for (const auto& [id, probability] :
             best_tokens(values, static_cast<std::size_t>(words), targets,
                         static_cast<std::size_t>(options.top_k))) {
          token = id;
          filled.candidates.push_back({.token = std::string(tokenizer().id_to_token(id)),
                                       .id = id,
                                       .score = probability,
                                       .sequence = tokenizer().decode(ids, single)});
        }
        token = mask;
      }
    }
  };
  internal::for_each_batch(
      sequences, {"filling", "texts", std::min(batch_tokens(), most_batch_tokens), progress}, fill);
  return result;
}

std::vector<MaskTarget> FillMaskPipeline::resolve(std::span<const std::string> targets) const {
  std::vector<MaskTarget> resolved;
  for (const auto& target : targets) {
    auto id = tokenizer().token_to_id(target);
    const bool known = id.has_value();
    if (!known) {
      const auto pieces = tokenizer().encode(target, {.add_special_tokens = false}).ids;
      if (!pieces.empty()) id = pieces.front();
    }
    resolved.push_back({.target = target,
                        .token = id ? std::string(tokenizer().id_to_token(*id)) : "",
                        .id = id.value_or(-1),
                        .in_vocabulary = known});
  }
  return resolved;
}

}  // namespace cloze
