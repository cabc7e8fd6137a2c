// Tokenizer's functions for many texts at once.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cloze/tokenizer.h"
#include "core/parallel.h"
#include "text/packer.h"
#include "text/tokenizer_impl.h"

namespace cloze {
namespace {

std::size_t bytes_of(std::string_view text) { return text.size(); }
std::size_t bytes_of(const TextPair& pair) { return pair.first.size() + pair.second.size(); }

// Room for the tokens of all texts, roughly, so that nothing is copied when it is appended to.
// Pages that are not written to cost nothing.
template <class Item>
void reserve(std::span<const Item> items, Batch& batch, Alignment* alignment) {
  std::size_t tokens = 4 * items.size();
  for (const auto& item : items) tokens += bytes_of(item) / 4;
  batch.input_ids.reserve(tokens);
  batch.token_type_ids.reserve(tokens);
  batch.position_ids.reserve(tokens);
  batch.cu_seqlens.reserve(items.size() + 1);
  if (alignment == nullptr) return;
  alignment->offsets.reserve(tokens);
  alignment->word_ids.reserve(tokens);
}

// [0, items.size()) cut into at most `count` ranges of about as many bytes; the bounds.
template <class Item>
std::vector<std::size_t> even_ranges(std::span<const Item> items, std::size_t count) {
  std::size_t total = 0;
  for (const auto& item : items) total += bytes_of(item) + 1;
  std::vector<std::size_t> bounds{0};
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    bytes += bytes_of(items[i]) + 1;
    if (bytes * count >= total * bounds.size() && i + 1 < items.size()) bounds.push_back(i + 1);
  }
  bounds.push_back(items.size());
  return bounds;
}

template <class Item>
std::vector<Encoding> encode_all(const Tokenizer& tokenizer, std::span<const Item> items,
                                 const EncodeOptions& options) {
  std::vector<Encoding> encodings(items.size());
  parallel_for(static_cast<std::int64_t>(items.size()), 16, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    if constexpr (std::is_same_v<Item, TextPair>) {
      encodings[at] = tokenizer.encode(items[at].first, items[at].second, options);
    } else {
      encodings[at] = tokenizer.encode(items[at], options);
    }
  });
  return encodings;
}

template <class Item>
Batch pack_all(const Tokenizer& tokenizer, std::span<const Item> items,
               const EncodeOptions& options, Alignment* alignment) {
  const auto threads = static_cast<std::size_t>(std::max(1, num_threads()));
  const auto bounds = even_ranges(items, threads);
  const auto parts = bounds.size() - 1;
  std::vector<Batch> batches(parts);
  std::vector<Alignment> alignments(parts);
  parallel_for(static_cast<std::int64_t>(parts), 1, [&](std::int64_t part) {
    const auto p = static_cast<std::size_t>(part);
    // The first part takes all the others at the end.
    reserve(p == 0 ? items : items.subspan(bounds[p], bounds[p + 1] - bounds[p]), batches[p],
            alignment != nullptr ? &alignments[p] : nullptr);
    for (auto i = bounds[p]; i < bounds[p + 1]; ++i) {
      const auto append = [&](auto&&... texts) {
        if (alignment != nullptr) {
          tokenizer.append_to(batches[p], alignments[p], texts..., options);
        } else {
          tokenizer.append_to(batches[p], texts..., options);
        }
      };
      if constexpr (std::is_same_v<Item, TextPair>) {
        append(items[i].first, items[i].second);
      } else {
        append(items[i]);
      }
    }
  });
  Batch batch = std::move(batches[0]);
  if (alignment != nullptr) *alignment = std::move(alignments[0]);
  for (std::size_t p = 1; p < parts; ++p) {
    text::append(batches[p], batch);
    if (alignment != nullptr) text::append(alignments[p], *alignment);
  }
  return batch;
}

template <class T>
void fill(std::vector<T>& values, std::size_t count, const T& value, Side side) {
  values.insert(side == Side::left ? values.begin() : values.end(), count, value);
}

struct PadToken {
  std::int32_t id;
  std::string content;
};

void pad_one(Encoding& encoding, std::size_t length, const PadToken& token, Side side) {
  for (auto& window : encoding.overflowing) pad_one(window, length, token, side);
  if (encoding.ids.size() >= length) return;
  const auto n = length - encoding.ids.size();
  fill(encoding.ids, n, token.id, side);
  fill(encoding.type_ids, n, 0, side);
  fill(encoding.tokens, n, token.content, side);
  fill(encoding.offsets, n, Span{0, 0}, side);
  fill(encoding.special_tokens_mask, n, std::uint8_t{1}, side);
  fill(encoding.word_ids, n, -1, side);
  fill(encoding.sequence_ids, n, -1, side);
  fill(encoding.attention_mask, n, std::uint8_t{0}, side);
}

}  // namespace

std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string_view> texts,
                                              const EncodeOptions& options) const {
  return encode_all(*this, texts, options);
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const TextPair> pairs,
                                              const EncodeOptions& options) const {
  return encode_all(*this, pairs, options);
}

Batch Tokenizer::pack(std::span<const std::string_view> texts, const EncodeOptions& options,
                      Alignment* alignment) const {
  return pack_all(*this, texts, options, alignment);
}

Batch Tokenizer::pack(std::span<const TextPair> pairs, const EncodeOptions& options,
                      Alignment* alignment) const {
  return pack_all(*this, pairs, options, alignment);
}

void Tokenizer::pad(std::span<Encoding> encodings, const PaddingOptions& options) const {
  const PadToken token{pad_token_id(), impl_->spec.pad_token};
  auto length = static_cast<std::size_t>(std::max(options.length, 0));
  if (length == 0) {
    for (const auto& encoding : encodings) length = std::max(length, encoding.ids.size());
  }
  if (options.multiple_of > 0) {
    const auto multiple = static_cast<std::size_t>(options.multiple_of);
    length = (length + multiple - 1) / multiple * multiple;
  }
  for (auto& encoding : encodings) pad_one(encoding, length, token, options.side);
}

}  // namespace cloze
