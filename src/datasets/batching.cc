#include "datasets/batching.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/parallel.h"

namespace cloze {
namespace {

TokenizedText tokenize_one(const Tokenizer& tokenizer, const TextItem& item,
                           const LengthLimit& limit) {
  auto batch = item.pair ? tokenizer(item.text, *item.pair) : tokenizer(item.text);
  if (batch.total_tokens() <= limit.tokens || !limit.truncate) {
    return {std::move(batch.input_ids), std::move(batch.token_type_ids)};
  }
  EncodeOptions options;
  options.truncation = Truncation::longest_first;
  options.max_length = static_cast<std::int32_t>(limit.tokens);
  auto encoding = item.pair ? tokenizer.encode(item.text, *item.pair, options)
                            : tokenizer.encode(item.text, options);
  return {std::move(encoding.ids), std::move(encoding.type_ids)};
}

}  // namespace

std::vector<TokenizedText> tokenize(const Tokenizer& tokenizer, std::span<const TextItem> items,
                                    const LengthLimit& limit, const TextReader& reader) {
  constexpr std::int64_t grain = 64;
  std::vector<TokenizedText> texts(items.size());
  parallel_for(static_cast<std::int64_t>(items.size()), grain, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    texts[at] = tokenize_one(tokenizer, items[at], limit);
  });
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (texts[i].length() <= limit.tokens) continue;
    throw ArgumentError(
        fmt::format("{} has {} tokens and the limit is {}: shorten it, or cut it with --truncate",
                    reader.place(items[i].number), texts[i].length(), limit.tokens));
  }
  return texts;
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
