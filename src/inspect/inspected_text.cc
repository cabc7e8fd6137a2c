#include "inspect/inspected_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/pipeline.h"
#include "datasets/batching.h"

namespace cloze {
namespace {

std::vector<InspectedWord> merge_words(const InspectedText& text) {
  const auto& encoding = text.encoding;
  std::vector<InspectedWord> words;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto at = static_cast<std::int32_t>(i);
    const bool same = i > 0 && encoding.word_ids[i] >= 0 &&
                      encoding.word_ids[i] == encoding.word_ids[i - 1] &&
                      encoding.sequence_ids[i] == encoding.sequence_ids[i - 1];
    if (!same) words.push_back({.begin = at, .sequence = encoding.sequence_ids[i]});
    words.back().end = at + 1;
  }
  for (auto& word : words) {
    if (const auto at = static_cast<std::size_t>(word.begin); at > 0 && word.sequence >= 0) {
      const bool follows = encoding.sequence_ids[at - 1] == word.sequence;
      word.space = !follows || encoding.offsets[at].begin > encoding.offsets[at - 1].end;
    }
    word.text = word.sequence < 0 ? encoding.tokens[static_cast<std::size_t>(word.begin)]
                                  : surface(text, word.begin, word.end);
  }
  return words;
}

}  // namespace

std::vector<std::int32_t> own_positions(const InspectedText& text, const Tokenizer& tokenizer) {
  const auto& encoding = text.encoding;
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const bool mask = tokenizer.mask_token_id() == encoding.ids[i];
    if (encoding.special_tokens_mask[i] == 0 && !mask) {
      positions.push_back(static_cast<std::int32_t>(i));
    }
  }
  return positions;
}

std::string surface(const InspectedText& text, std::int32_t begin, std::int32_t end) {
  if (begin >= end) return {};
  const auto& encoding = text.encoding;
  const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end - 1);
  const auto& from = encoding.sequence_ids[first] == 1 && text.pair ? *text.pair : text.text;
  const auto start = static_cast<std::size_t>(encoding.offsets[first].begin);
  const auto stop = static_cast<std::size_t>(encoding.offsets[last].end);
  return start < stop && stop <= from.size() ? from.substr(start, stop - start)
                                             : encoding.tokens[first];
}

InspectedText inspected_text(const Tokenizer& tokenizer, std::string text,
                             std::optional<std::string> pair, std::int64_t limit, bool truncate) {
  InspectedText result{.text = std::move(text), .pair = std::move(pair)};
  EncodeOptions options;
  options.offsets = OffsetUnit::bytes;
  const auto encode = [&] {
    return result.pair ? tokenizer.encode(result.text, *result.pair, options)
                       : tokenizer.encode(result.text, options);
  };
  result.encoding = encode();
  const auto count = static_cast<std::int64_t>(result.encoding.ids.size());
  for (const std::int32_t sequence : {0, 1}) {
    if (sequence == 1 && !result.pair) break;
    const auto& ids = result.encoding.sequence_ids;
    if (std::find(ids.begin(), ids.end(), sequence) == ids.end()) {
      throw ArgumentError(
          fmt::format("the {} is empty: there is no token to look at", sequence == 1 ? "second text"
                                                                       : result.pair ? "first text"
                                                                                     : "text"));
    }
  }
  if (count > limit) {
    if (!truncate) throw TextTooLong("the text", count, limit);
    options.truncation = Truncation::longest_first;
    options.max_length = static_cast<std::int32_t>(limit);
    options.overflowing = false;
    result.encoding = encode();
  }
  result.batch.append(result.encoding.ids, types_for_model(tokenizer, result.encoding.type_ids));
  result.words = merge_words(result);
  return result;
}

}  // namespace cloze
