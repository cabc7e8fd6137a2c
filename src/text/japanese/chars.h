/// \file
/// What Python's str methods and unicodedata make of a text, each character with its true place in
/// the original: what BertJapaneseTokenizer is made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"
#include "core/python_space.h"
#include "text/normalize/reorder.h"

namespace cloze::text {

using Chars = std::vector<NormalizedChar>;

/// Appends the characters of `text` (valid UTF-8), the first of which has the offset `begin`.
void append_chars(std::string_view text, std::int32_t begin, OffsetUnit unit, Chars& chars);

/// The characters as UTF-8.
[[nodiscard]] std::string utf8_of(const Chars& chars);

enum class NormalForm : std::uint8_t { nfc, nfd, nfkc };

/// `unicodedata.normalize`. A character that was made of several has the place from the first of
/// them to the last. By Unicode 15.0, where Python's version is another.
[[nodiscard]] Chars normal_form(const Chars& chars, NormalForm form);

/// `str.lower()`: a capital sigma at the end of a word becomes ς.
[[nodiscard]] Chars lower_case(const Chars& chars);

/// What transformers' BasicTokenizer drops: U+0000, U+FFFD, and category C but for \t, \n and \r.
[[nodiscard]] bool is_dropped(char32_t cp);
/// What it makes a word by itself: ASCII punctuation and symbols, and category P.
[[nodiscard]] bool is_punctuation(char32_t cp);
/// Category Mn.
[[nodiscard]] bool is_mark(char32_t cp);

}  // namespace cloze::text
