#include "datasets/batching.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

std::vector<std::int32_t> types_for_model(const Tokenizer& tokenizer,
                                          std::vector<std::int32_t> types) {
  if (!tokenizer.gives_token_types()) std::fill(types.begin(), types.end(), 0);
  return types;
}

void require_same_vocabulary(const Tokenizer& tokenizer, const BertConfig& config) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  throw ModelError(
      fmt::format("the tokenizer has {} tokens but the model embeds only {} (vocab_size): they do "
                  "not belong together",
                  tokenizer.vocab_size(), config.vocab_size));
}

std::vector<std::vector<std::size_t>> plan_batches(std::span<const std::int64_t> lengths,
                                                   std::int64_t batch_tokens) {
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> batches;
  std::int64_t held = 0;
  for (const auto index : order) {
    if (batches.empty() || held + lengths[index] > batch_tokens) {
      batches.emplace_back();
      held = 0;
    }
    batches.back().push_back(index);
    held += lengths[index];
  }
  return batches;
}

std::vector<std::vector<std::size_t>> plan_batches(std::span<const TokenizedText> texts,
                                                   std::int64_t batch_tokens) {
  std::vector<std::int64_t> lengths(texts.size());
  std::transform(texts.begin(), texts.end(), lengths.begin(),
                 [](const TokenizedText& text) { return text.length(); });
  return plan_batches(lengths, batch_tokens);
}

Batch pack(std::span<const TokenizedText> texts, std::span<const std::size_t> indices) {
  Batch batch;
  for (const auto index : indices) batch.append(texts[index].ids, texts[index].type_ids);
  return batch;
}

}  // namespace cloze
