/// \file
/// A WordPiece vocabulary: tokens by id, and a hash table that finds the longest piece at a place.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloze::text {

static_assert(std::endian::native == std::endian::little, "keys are loaded as little-endian words");

/// Bytes that must be readable after a word handed to the vocabulary.
inline constexpr std::size_t kWordSlack = 16;

/// Where a piece may stand.
enum class PieceKind : std::uint8_t {
  start = 1,      ///< at the start of a word
  continued = 2,  ///< inside a word: the token without its "##"
  never = 3       ///< nowhere: added tokens, and such as "[CLS]", which are several words
};

class Vocabulary {
 public:
  /// `expected_tokens` is only a hint.
  explicit Vocabulary(std::string continuing_prefix = "##", std::size_t expected_tokens = 0);

  /// Gives `token` the number `id`. False, and nothing changed, when the token is there already;
  /// throws ArgumentError when another token has that id, or it is not in [0, kMaxTokens). Words
  /// are not matched with a token that is no `piece` (added tokens).
  bool add(std::string_view token, std::int32_t id, bool piece = true);

  /// Ids are below this.
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(spans_.size()); }
  [[nodiscard]] bool has_id(std::int32_t id) const;
  /// `id` must be one that has_id.
  [[nodiscard]] std::string_view token(std::int32_t id) const;
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view token) const;
  [[nodiscard]] const std::string& continuing_prefix() const { return prefix_; }

  /// The piece that is exactly these `size` > 0 bytes, or -1. kWordSlack bytes after them must be
  /// readable.
  [[nodiscard]] std::int32_t find(const char* bytes, std::size_t size, PieceKind kind) const {
    return size <= kBlock ? find_short(load(bytes, size), size, kind)
                          : find_long(bytes, size, kind);
  }

  /// A word that is about to be looked up: its place in the table is on the way into the cache.
  struct Lookup {
    std::uint64_t low, high;
    std::uint32_t slot, tag;
  };
  /// Begins `find` of a word of at most kShort bytes.
  [[nodiscard]] Lookup begin_find(const char* word, std::size_t size) const {
    const Block block = load(word, size);
    const auto tag = tag_of(size, PieceKind::start);
    const auto slot = static_cast<std::uint32_t>(finish(kSeed, block, tag) & mask_);
    __builtin_prefetch(&entries_[slot]);
    return {block.low, block.high, slot, tag};
  }
  [[nodiscard]] std::int32_t end_find(const Lookup& lookup) const {
    const Entry& entry = entries_[lookup.slot];
    if (entry.tag == lookup.tag && entry.last == Block{lookup.low, lookup.high}) return entry.id;
    return find_from({lookup.low, lookup.high}, lookup.tag, lookup.slot);
  }
  static constexpr std::size_t kShort = 16;

  /// Greedy longest match of a word of valid UTF-8 that is no piece as a whole: writes the id of
  /// each piece to `ids` and the byte where it ends to `ends` (room for `size` of each). Returns
  /// the number of pieces, 0 when some part of the word is in no piece. As `find` about readable
  /// bytes.
  std::size_t match(const char* word, std::size_t size, std::int32_t* ids,
                    std::int32_t* ends) const;

  static constexpr std::int32_t kMaxTokens = 1 << 24;

 private:
  static constexpr std::size_t kBlock = 16;
  static constexpr std::uint64_t kSeed = 0x9E3779B97F4A7C15U;
  static constexpr std::uint64_t kFactor = 0xE7037ED1A0B428DBU;

  struct Block {
    std::uint64_t low, high;
    friend bool operator==(const Block&, const Block&) = default;
  };
  static constexpr std::array<Block, kBlock + 1> kMasks = [] {
    std::array<Block, kBlock + 1> masks{};
    for (std::size_t size = 1; size <= kBlock; ++size) {
      masks[size].low = size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
      masks[size].high = size <= 8    ? 0
                         : size == 16 ? ~std::uint64_t{0}
                                      : (std::uint64_t{1} << (8 * (size - 8))) - 1;
    }
    return masks;
  }();
  // 32 bytes, two a cache line. `last` holds the piece, zero padded; of a piece longer than a block
  // its last 1 to 16 bytes, and the rest is compared with the token.
  struct Entry {
    Block last;
    std::uint32_t tag;  // size and kind; 0: empty
    std::int32_t id;
    std::uint64_t hash;
  };
  struct TokenSpan {
    std::uint32_t begin, size;
  };

  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }
  static std::uint32_t tag_of(std::size_t size, PieceKind kind) {
    return static_cast<std::uint32_t>(size << 2U) | static_cast<std::uint32_t>(kind);
  }
  // The first `size` <= 16 bytes, zeros after them. Reads 16. Masks from a table: word lengths are
  // what branch predictors cannot guess.
  static Block load(const char* bytes, std::size_t size) {
    Block block{};
    std::memcpy(&block, bytes, sizeof block);
    const Block& mask = kMasks[size];
    return {block.low & mask.low, block.high & mask.high};
  }
  // Hash of a piece: of its whole blocks but the last (`state`), then of the last.
  static std::uint64_t absorb(std::uint64_t state, Block block) {
    return mix(block.low ^ state, block.high ^ kFactor);
  }
  static std::uint64_t finish(std::uint64_t state, Block last, std::uint32_t tag) {
    return mix(last.low ^ state ^ tag, last.high ^ kFactor);
  }
  [[nodiscard]] std::size_t max_size(PieceKind kind) const {
    return max_size_[static_cast<std::size_t>(kind)];
  }

  // Whether a piece may have this hash: a small table that says no to nearly all others, and so
  // spares the large one's cache misses.
  [[nodiscard]] bool may_have(std::uint64_t hash) const {
    const auto bit = hash >> 32U & filter_mask_;
    return (filter_[bit >> 6U] >> (bit & 63U) & 1U) != 0;
  }
  [[nodiscard]] std::int32_t find_short(Block block, std::size_t size, PieceKind kind) const {
    const auto tag = tag_of(size, kind);
    const auto hash = finish(kSeed, block, tag);
    return may_have(hash) ? find_from(block, tag, hash & mask_) : -1;
  }
  [[nodiscard]] std::int32_t find_from(Block block, std::uint32_t tag, std::uint64_t slot) const {
    for (;; slot = (slot + 1) & mask_) {
      const Entry& entry = entries_[slot];
      if (entry.tag == tag && entry.last == block) return entry.id;
      if (entry.tag == 0) return -1;
    }
  }
  [[nodiscard]] std::int32_t find_long(const char* bytes, std::size_t size, PieceKind kind) const;
  [[nodiscard]] std::int32_t probe_long(std::uint64_t state, const char* bytes, std::size_t size,
                                        PieceKind kind) const;
  [[nodiscard]] std::int32_t longest(const char* bytes, std::size_t whole, std::size_t& size,
                                     PieceKind kind) const;
  [[nodiscard]] std::int32_t longest_long(const char* bytes, std::size_t whole, std::size_t& size,
                                          PieceKind kind) const;
  // Which lengths the pieces have that begin with these bytes, bit by bit: the only ones worth
  // looking for. Of pieces of at least kPrefix bytes, those of kManyBytes and more share a bit.
  static constexpr std::size_t kPrefix = 4;
  static constexpr std::size_t kManyBytes = 63;
  [[nodiscard]] std::size_t lengths_slot(const char* bytes, PieceKind kind) const {
    std::uint32_t prefix = 0;
    std::memcpy(&prefix, bytes, sizeof prefix);
    const auto key = static_cast<std::uint64_t>(prefix) << 2U | static_cast<std::uint64_t>(kind);
    return key * kSeed >> lengths_shift_;
  }
  [[nodiscard]] static std::size_t short_slot(char first, PieceKind kind) {
    return static_cast<std::size_t>(kind) << 8U | static_cast<unsigned char>(first);
  }
  [[nodiscard]] std::string_view piece(std::int32_t id, PieceKind kind) const;
  [[nodiscard]] static bool starts_words(std::string_view token);
  [[nodiscard]] bool continues_words(std::string_view token) const;
  // False when the piece is there already.
  bool insert(std::string_view piece, PieceKind kind, std::int32_t id);
  void place(const Entry& entry);
  void rehash(std::size_t capacity);

  std::string prefix_;
  std::string pool_;
  std::vector<TokenSpan> spans_;
  std::vector<Entry> entries_;
  std::uint64_t mask_ = 0;
  std::vector<std::uint64_t> filter_;
  std::uint64_t filter_mask_ = 0;
  std::size_t used_ = 0;
  std::array<std::size_t, 4> max_size_{};
  std::vector<std::uint64_t> lengths_;
  unsigned lengths_shift_;
  std::array<std::uint8_t, 1024> short_lengths_{};  // of pieces of fewer than kPrefix bytes
};

}  // namespace cloze::text
