/// \file
/// What the normalizer and the pre-tokenizer together do with one code point, decided once a
/// tokenizer: the tables of unicode_tables.h under the switches of BertNormalizer.
#pragma once

#include <cstdint>
#include <vector>

#include "text/normalize/unicode_tables.h"

namespace cloze::text {

/// BertNormalizer's switches, or those of google-research/bert's BasicTokenizer.
struct NormalizerRules {
  bool google = false;  ///< lower-case (Python's, with final sigma) before accents are stripped
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

struct CharAction {
  enum Kind : std::uint8_t {
    copy,    ///< part of a word, as it stands
    map,     ///< part of a word, as `bytes`
    drop,    ///< gone
    space,   ///< ends a word
    alone,   ///< a word by itself: `bytes`, or as it stands when `size` is 0
    hangul,  ///< part of a word, decomposed into two or three jamo
    sigma,   ///< U+03A3 in google mode: σ or ς by its neighbours
    reorder  ///< takes part in canonical reordering, or becomes several words: the careful way
  };
  Kind kind = copy;
  std::uint8_t size = 0;            ///< of `bytes`
  std::uint8_t chars = 1;           ///< code points in `bytes`
  std::uint8_t combining_mark = 0;  ///< a dropped character that canonical reordering counts
  char bytes[12] = {};
};

class CharActions {
 public:
  explicit CharActions(const NormalizerRules& rules);

  [[nodiscard]] const CharAction& operator[](char32_t cp) const {
    return actions_[table_->record_of(cp)];
  }
  [[nodiscard]] const NormalizerRules& rules() const { return rules_; }
  [[nodiscard]] const UnicodeTable& table() const { return *table_; }

 private:
  [[nodiscard]] CharAction compose(const CharRecord& record) const;

  NormalizerRules rules_;
  const UnicodeTable* table_;
  std::vector<CharAction> actions_;
};

/// Writes the decomposition of a Hangul syllable at `out` (room for 3) and returns its length.
inline int decompose_hangul(char32_t syllable, char32_t* out) {
  const char32_t s = syllable - 0xAC00U;
  out[0] = 0x1100U + s / 588U;
  out[1] = 0x1161U + s % 588U / 28U;
  out[2] = 0x11A7U + s % 28U;
  return s % 28U == 0 ? 2 : 3;
}

}  // namespace cloze::text
