// Tokenizer's functions for many texts at once.
#include <algorithm>
#include <limits>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "cloze/tokenizer.h"
#include "core/parallel.h"
#include "text/encode/packer.h"
#include "text/encode/tokenizer_impl.h"

namespace cloze {
namespace {

std::size_t bytes_of(std::string_view text) { return text.size(); }
std::size_t bytes_of(const TextPair& pair) { return pair.first.size() + pair.second.size(); }

// Room for the tokens of all texts, roughly, so that nothing is copied when it is appended to.
// Pages that are not written to cost nothing.
template <class Item>
void reserve(std::span<const Item> items, const EncodeOptions& options, Batch& batch,
             Alignment* alignment) {
  const auto most = options.truncation == Truncation::none
                        ? std::numeric_limits<std::size_t>::max()
                        : static_cast<std::size_t>(std::max(options.max_length, 0));
  std::size_t tokens = 0;
  for (const auto& item : items) tokens += std::min(most, bytes_of(item) / 4 + 4);
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

// What one thread has made of a range of the texts.
struct Part {
  Batch batch;
  Alignment alignment;
  bool finished = false;
};

// Puts parts that threads finish in any order into one batch, in order, while others still work:
// whoever finishes a part appends all that are due. Finished parts' memory, warm in the cache, goes
// to parts that are begun later.
class Gatherer {
 public:
  Gatherer(std::size_t parts, Batch& batch, Alignment* alignment)
      : waiting_(parts), batch_(batch), alignment_(alignment) {}

  [[nodiscard]] Part begin() {
    const std::lock_guard lock(guard_);
    if (spare_.empty()) return {};
    Part part = std::move(spare_.back());
    spare_.pop_back();
    return part;
  }

  void finish(std::size_t index, Part part) {
    const std::lock_guard lock(guard_);
    part.finished = true;
    waiting_[index] = std::move(part);
    for (; due_ < waiting_.size() && waiting_[due_].finished; ++due_) {
      Part& next = waiting_[due_];
      text::append(next.batch, batch_);
      if (alignment_ != nullptr) text::append(next.alignment, *alignment_);
      next.batch.clear();
      next.alignment.clear();
      next.finished = false;
      spare_.push_back(std::exchange(next, {}));
    }
  }

 private:
  std::mutex guard_;
  std::vector<Part> waiting_;  ///< by index, until their turn
  std::vector<Part> spare_;    ///< empty, with memory
  std::size_t due_ = 0;        ///< the next part that the batch gets
  Batch& batch_;
  Alignment* alignment_;
};

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
void append_all(const Tokenizer& tokenizer, std::span<const Item> items,
                const EncodeOptions& options, Batch& batch, Alignment* alignment) {
  for (const auto& item : items) {
    const auto append = [&](auto&&... texts) {
      if (alignment != nullptr) {
        tokenizer.append_to(batch, *alignment, texts..., options);
      } else {
        tokenizer.append_to(batch, texts..., options);
      }
    };
    if constexpr (std::is_same_v<Item, TextPair>) {
      append(item.first, item.second);
    } else {
      append(item);
    }
  }
}

template <class Item>
Batch pack_all(const Tokenizer& tokenizer, std::span<const Item> items,
               const EncodeOptions& options, Alignment* alignment) {
  Batch batch;
  Alignment aligned;
  Alignment* const made = alignment != nullptr ? &aligned : nullptr;
  reserve(items, options, batch, made);
  const auto threads = static_cast<std::size_t>(std::max(1, num_threads()));
  // Enough parts that no thread waits long for another's last one.
  constexpr std::size_t kPartsPerThread = 16;
  const auto bounds = even_ranges(items, threads == 1 ? 1 : threads * kPartsPerThread);
  const auto parts = bounds.size() - 1;
  if (parts == 1) {
    append_all(tokenizer, items, options, batch, made);
    if (made != nullptr) *alignment = std::move(aligned);
    return batch;
  }
  Gatherer gatherer(parts, batch, made);
  parallel_for(static_cast<std::int64_t>(parts), 1, [&](std::int64_t index) {
    const auto p = static_cast<std::size_t>(index);
    Part part = gatherer.begin();
    append_all(tokenizer, items.subspan(bounds[p], bounds[p + 1] - bounds[p]), options, part.batch,
               made != nullptr ? &part.alignment : nullptr);
    gatherer.finish(p, std::move(part));
  });
  if (made != nullptr) *alignment = std::move(aligned);
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
