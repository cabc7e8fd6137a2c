#include "text/wordpiece/vocabulary.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace cloze::text {
namespace {

constexpr std::uint32_t kHole = 0xFFFFFFFF;  // TokenSpan::begin of an id that no token has

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_continuation(char c) { return !utf8::begins_code_point(c); }

}  // namespace

Vocabulary::Vocabulary(std::string continuing_prefix, std::size_t expected_tokens)
    : prefix_(std::move(continuing_prefix)),
      lengths_(std::bit_ceil(std::max<std::size_t>(64, expected_tokens / 4))),
      lengths_shift_(64U - static_cast<unsigned>(std::countr_zero(lengths_.size()))) {
  spans_.reserve(expected_tokens);
  pool_.reserve(expected_tokens * 8);
  rehash(std::bit_ceil(std::max<std::size_t>(64, expected_tokens * 2)));
}

// Pre-tokenization makes every punctuation character a word by itself, so a longer token with
// ASCII punctuation in it never begins a word: it is left out of what words are matched with.
bool Vocabulary::starts_words(std::string_view token) {
  return token.size() == 1 ||
         (!token.empty() && std::none_of(token.begin(), token.end(), is_ascii_punctuation));
}

bool Vocabulary::continues_words(std::string_view token) const {
  return token.size() > prefix_.size() && token.starts_with(prefix_);
}

bool Vocabulary::add(std::string_view token, std::int32_t id, bool piece) {
  if (id < 0 || id >= kMaxTokens) {
    throw ArgumentError(fmt::format("token {} has id {}; ids must be in [0, {})", in_quotes(token),
                                    id, kMaxTokens));
  }
  if (has_id(id)) {
    if (this->token(id) == token) return false;
    throw ArgumentError(
        fmt::format("id {} belongs to token {} and to {}; give each token "
                    "an id of its own",
                    id, in_quotes(this->token(id)), in_quotes(token)));
  }
  const bool starts = piece && starts_words(token);
  const bool continues = piece && continues_words(token);
  if (!piece && id_of(token)) return false;
  const auto tail = continues ? token.substr(prefix_.size()) : token;
  if (starts && !insert(token, PieceKind::start, id)) return false;
  if (continues && !insert(tail, PieceKind::continued, id)) return false;
  if (!starts && !continues && !insert(token, PieceKind::never, id)) return false;

  const auto at = static_cast<std::size_t>(id);
  if (at >= spans_.size()) spans_.resize(at + 1, {kHole, 0});
  spans_[at] = {static_cast<std::uint32_t>(pool_.size()), static_cast<std::uint32_t>(token.size())};
  pool_.append(token);
  return true;
}

bool Vocabulary::has_id(std::int32_t id) const {
  return id >= 0 && id < size() && spans_[static_cast<std::size_t>(id)].begin != kHole;
}

std::string_view Vocabulary::token(std::int32_t id) const {
  const auto span = spans_[static_cast<std::size_t>(id)];
  return std::string_view(pool_).substr(span.begin, span.size);
}

std::string_view Vocabulary::piece(std::int32_t id, PieceKind kind) const {
  return kind == PieceKind::continued ? token(id).substr(prefix_.size()) : token(id);
}

std::optional<std::int32_t> Vocabulary::id_of(std::string_view token) const {
  const auto lookup = [this](std::string_view piece, PieceKind kind) {
    if (piece.size() > max_size(kind)) return -1;
    std::string padded;
    padded.reserve(piece.size() + kWordSlack);
    padded.append(piece).append(kWordSlack, '\0');
    return find(padded.data(), piece.size(), kind);
  };
  std::int32_t id = -1;
  if (starts_words(token)) {
    id = lookup(token, PieceKind::start);
  } else if (continues_words(token)) {
    id = lookup(token.substr(prefix_.size()), PieceKind::continued);
  }
  if (id < 0) id = lookup(token, PieceKind::never);
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Vocabulary::insert(std::string_view piece, PieceKind kind, std::int32_t id) {
  if (used_ * 2 >= entries_.size()) rehash(entries_.size() * 2);
  auto& longest = max_size_[static_cast<std::size_t>(kind)];
  longest = std::max(longest, piece.size());
  const auto tag = tag_of(piece.size(), kind);
  Entry entry{{}, tag, id, kSeed};
  std::size_t head = 0;
  for (; piece.size() - head > kBlock; head += kBlock) {
    entry.hash = absorb(entry.hash, load(piece.data() + head, kBlock));
  }
  std::memcpy(&entry.last, piece.data() + head, piece.size() - head);
  entry.hash = finish(entry.hash, entry.last, tag);
  for (auto slot = entry.hash & mask_; entries_[slot].tag != 0; slot = (slot + 1) & mask_) {
    const Entry& other = entries_[slot];
    if (other.tag == tag && other.last == entry.last &&
        this->piece(other.id, kind).substr(0, head) == piece.substr(0, head)) {
      return false;
    }
  }
  if (piece.size() >= kPrefix) {
    lengths_[lengths_slot(piece.data(), kind)] |= std::uint64_t{1}
                                                  << std::min(piece.size(), kManyBytes);
  } else if (!piece.empty()) {
    short_lengths_[short_slot(piece[0], kind)] |= static_cast<std::uint8_t>(1U << piece.size());
  }
  place(entry);
  ++used_;
  return true;
}

void Vocabulary::place(const Entry& entry) {
  auto at = entry.hash & mask_;
  while (entries_[at].tag != 0) at = (at + 1) & mask_;
  entries_[at] = entry;
  const auto bit = entry.hash >> 32U & filter_mask_;
  filter_[bit >> 6U] |= std::uint64_t{1} << (bit & 63U);
}

void Vocabulary::rehash(std::size_t capacity) {
  std::vector<Entry> old(capacity);
  old.swap(entries_);
  mask_ = capacity - 1;
  constexpr std::size_t kFilterBits = 8;  // an entry: one in sixteen strangers gets through
  filter_.assign(capacity * kFilterBits / 64, 0);
  filter_mask_ = capacity * kFilterBits - 1;
  for (const Entry& entry : old) {
    if (entry.tag != 0) place(entry);
  }
}

std::int32_t Vocabulary::probe_long(std::uint64_t state, const char* bytes, std::size_t size,
                                    PieceKind kind) const {
  const auto head = (size - 1) / kBlock * kBlock;
  const Block last = load(bytes + head, size - head);
  const auto tag = tag_of(size, kind);
  const auto hash = finish(state, last, tag);
  if (!may_have(hash)) return -1;
  for (auto at = hash & mask_;; at = (at + 1) & mask_) {
    const Entry& entry = entries_[at];
    if (entry.tag == 0) return -1;
    if (entry.tag == tag && entry.last == last &&
        std::memcmp(piece(entry.id, kind).data(), bytes, head) == 0) {
      return entry.id;
    }
  }
}

std::int32_t Vocabulary::find_long(const char* bytes, std::size_t size, PieceKind kind) const {
  if (size > max_size(kind)) return -1;
  std::uint64_t state = kSeed;
  for (std::size_t at = 0; size - at > kBlock; at += kBlock) {
    state = absorb(state, load(bytes + at, kBlock));
  }
  return probe_long(state, bytes, size, kind);
}

// The longest piece of at least kManyBytes; else -1.
std::int32_t Vocabulary::longest_long(const char* bytes, std::size_t whole, std::size_t& size,
                                      PieceKind kind) const {
  // The hashes of all prefixes that are whole blocks, once for all sizes.
  std::vector<std::uint64_t> states{kSeed};
  for (std::size_t at = 0; at + kBlock < size; at += kBlock) {
    states.push_back(absorb(states.back(), load(bytes + at, kBlock)));
  }
  for (std::size_t length = size; length >= kManyBytes; --length) {
    if (length < whole && is_continuation(bytes[length])) continue;
    const auto id = probe_long(states[(length - 1) / kBlock], bytes, length, kind);
    if (id >= 0) return size = length, id;
  }
  return -1;
}

// The longest piece that begins at `bytes`, of at most `size` of the `whole` bytes there are; sets
// `size` to its size.
std::int32_t Vocabulary::longest(const char* bytes, std::size_t whole, std::size_t& size,
                                 PieceKind kind) const {
  size = std::min(size, max_size(kind));
  if (size >= kPrefix) {
    auto lengths = lengths_[lengths_slot(bytes, kind)];
    if (size >= kManyBytes && lengths >> kManyBytes != 0) {
      const auto id = longest_long(bytes, whole, size, kind);
      if (id >= 0) return id;
    }
    lengths &= (std::uint64_t{1} << std::min(size + 1, kManyBytes)) - 1;
    while (lengths != 0) {
      const auto length = static_cast<std::size_t>(63 - std::countl_zero(lengths));
      lengths ^= std::uint64_t{1} << length;
      const auto id = find(bytes, length, kind);
      if (id >= 0) return size = length, id;
    }
  }
  std::uint32_t lengths = short_lengths_[short_slot(bytes[0], kind)];
  lengths &= (1U << std::min(size + 1, kPrefix)) - 1;
  while (lengths != 0) {
    const auto length = static_cast<std::size_t>(std::bit_width(lengths) - 1);
    lengths ^= 1U << length;
    const auto id = find_short(load(bytes, length), length, kind);
    if (id >= 0) return size = length, id;
  }
  return -1;
}

std::size_t Vocabulary::match(const char* word, std::size_t size, std::int32_t* ids,
                              std::int32_t* ends) const {
  std::size_t count = 0;
  auto kind = PieceKind::start;
  for (std::size_t at = 0; at < size; kind = PieceKind::continued) {
    std::size_t length = size - at - (at == 0 ? 1 : 0);  // not as a whole
    const auto id = longest(word + at, size - at, length, kind);
    if (id < 0) return 0;
    at += length;
    ids[count] = id;
    ends[count++] = static_cast<std::int32_t>(at);
  }
  return count;
}

}  // namespace cloze::text
