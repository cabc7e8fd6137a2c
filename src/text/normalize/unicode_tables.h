/// \file
/// What each code point is and becomes, as the tokenizers that Cloze must agree with see it.
/// The data is generated (generate_unicode_tables.py): one table an oracle, because Hugging Face's
/// crates and Python's unicodedata are of different Unicode versions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cloze::text {

enum CharFlag : std::uint16_t {
  kRemoved = 1,      ///< dropped by clean_text: controls, format, private use, U+0000, U+FFFD
  kWhite = 2,        ///< separates words
  kCjk = 4,          ///< an ideograph: a word by itself where Chinese characters are handled
  kPunct = 8,        ///< a word by itself
  kMark = 16,        ///< a nonspacing mark (Mn): dropped by strip_accents
  kWordChar = 32,    ///< \w of the regex crate: what single_word added tokens look at (hf)
  kHangul = 64,      ///< a precomposed syllable: its decomposition is arithmetic
  kCased = 128,      ///< for Python's final sigma (google)
  kIgnorable = 256,  ///< for Python's final sigma (google)
};

struct CharRecord {
  std::uint16_t flags;
  std::uint8_t combining_class;
  std::uint8_t nfd_size;    ///< 0: decomposes to itself
  std::uint16_t nfd;        ///< index in the pool
  std::uint8_t lower_size;  ///< 0: its own lower case
  std::uint16_t lower;
};

struct UnicodeTable {
  std::span<const std::uint16_t> index;   ///< block of each 64 code points
  std::span<const std::uint16_t> blocks;  ///< record of each code point of a block
  std::span<const CharRecord> records;
  std::span<const char32_t> pool;

  /// Number of the record of `cp`, which must be below 0x110000.
  [[nodiscard]] std::size_t record_of(char32_t cp) const {
    return blocks[(static_cast<std::size_t>(index[cp >> 6U]) << 6U) + (cp & 63U)];
  }
  [[nodiscard]] const CharRecord& operator[](char32_t cp) const { return records[record_of(cp)]; }
  /// Canonical decomposition, empty when `cp` is its own (and for Hangul syllables).
  [[nodiscard]] std::span<const char32_t> nfd(const CharRecord& record) const {
    return pool.subspan(record.nfd, record.nfd_size);
  }
  [[nodiscard]] std::span<const char32_t> lower(const CharRecord& record) const {
    return pool.subspan(record.lower, record.lower_size);
  }
};

/// As the `tokenizers` package sees characters.
[[nodiscard]] const UnicodeTable& unicode_table_hf();
/// As Python's unicodedata and str.lower() see them.
[[nodiscard]] const UnicodeTable& unicode_table_google();

}  // namespace cloze::text
