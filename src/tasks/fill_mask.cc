#include "tasks/fill_mask.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "cloze/error.h"
#include "tasks/top_tokens.h"

namespace cloze {
namespace {

/// Logits are positions × vocabulary: a batch this long needs 125 MB of them at worst.
constexpr std::int64_t most_batch_tokens = 1024;

std::vector<MaskCandidate> candidates(const Tokenizer& tokenizer, std::vector<std::int32_t> ids,
                                      std::size_t position, bool single,
                                      std::span<const float> logits, std::size_t k) {
  std::vector<MaskCandidate> result;
  for (const auto& [id, probability] : top_tokens(logits, k)) {
    ids[position] = id;
    result.push_back({.token = std::string(tokenizer.id_to_token(id)),
                      .id = id,
                      .score = probability,
                      .sequence = tokenizer.decode(ids, single)});
  }
  return result;
}

std::vector<std::int32_t> positions_of(std::span<const std::int32_t> ids, std::int32_t mask) {
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == mask) positions.push_back(static_cast<std::int32_t>(i));
  }
  return positions;
}

}  // namespace

std::vector<std::vector<FilledMask>> fill_masks(const BertForMaskedLM& model,
                                                const Tokenizer& tokenizer,
                                                std::span<const TokenizedText> texts,
                                                const FillMaskOptions& options) {
  const auto mask = tokenizer.mask_token_id();
  if (!mask) throw ModelError("the vocabulary has no [MASK] token, so there is nothing to fill");
  // A model may have more rows than the tokenizer has tokens (padding of the matrix): not words.
  const auto words = std::min<std::int64_t>(model.config().vocab_size, tokenizer.vocab_size());
  if (options.top_k < 1 || options.top_k > words) {
    throw ArgumentError(
        fmt::format("the best {} tokens were asked for; it can be 1 to {}", options.top_k, words));
  }
  std::vector<std::vector<FilledMask>> result(texts.size());
  for (const auto& indices :
       plan_batches(texts, std::min(options.batch_tokens, most_batch_tokens))) {
    const auto batch = pack(texts, indices);
    const auto positions = positions_of(batch.input_ids, *mask);
    if (positions.empty()) continue;
    const auto logits = model(batch, positions);
    const auto width = static_cast<std::size_t>(logits.dim(1));
    std::size_t row = 0;
    for (const auto index : indices) {
      const auto own = positions_of(texts[index].ids, *mask);
      for (const auto position : own) {
        const auto values = logits.values<float>().subspan(row * width, width);
        result[index].push_back(
            {.position = position,
             .candidates =
                 candidates(tokenizer, texts[index].ids, static_cast<std::size_t>(position),
                            own.size() == 1, values.first(static_cast<std::size_t>(words)),
                            static_cast<std::size_t>(options.top_k))});
        ++row;
      }
    }
  }
  return result;
}

}  // namespace cloze
