/// \file
/// google-research/bert's tokenization.py, rule by rule on strings of code points: what `google`
/// mode is held against. Character properties are asked of utf8proc, so that nothing is shared with
/// the tokenizer under test; those that utf8proc does not know are written out from the Unicode
/// standard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <utf8proc.h>

namespace cloze::reference {

class GoogleTokenizer {
 public:
  GoogleTokenizer(std::map<std::u32string, int> vocabulary, bool do_lower_case)
      : vocabulary_(std::move(vocabulary)), do_lower_case_(do_lower_case) {}

  /// FullTokenizer.tokenize, as ids. The text has no invalid UTF-8 in it.
  [[nodiscard]] std::vector<int> operator()(const std::u32string& text) const {
    std::vector<int> ids;
    for (const auto& word : basic_tokenize(text)) word_piece(word, ids);
    return ids;
  }

 private:
  using Words = std::vector<std::u32string>;

  static bool is_one_of(char32_t c, std::initializer_list<std::pair<char32_t, char32_t>> ranges) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [c](const auto& r) { return r.first <= c && c <= r.second; });
  }
  static utf8proc_category_t category(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c));
  }
  static bool is_tab_or_line_end(char32_t c) { return c == '\t' || c == '\n' || c == '\r'; }

  // _is_whitespace
  static bool is_whitespace(char32_t c) {
    return is_tab_or_line_end(c) || category(c) == UTF8PROC_CATEGORY_ZS;
  }
  // _is_control
  static bool is_control(char32_t c) {
    return !is_tab_or_line_end(c) &&
           (category(c) == UTF8PROC_CATEGORY_CC || category(c) == UTF8PROC_CATEGORY_CF);
  }
  // _is_punctuation
  static bool is_punctuation(char32_t c) {
    if (is_one_of(c, {{33, 47}, {58, 64}, {91, 96}, {123, 126}})) return true;
    return category(c) >= UTF8PROC_CATEGORY_PC && category(c) <= UTF8PROC_CATEGORY_PO;
  }
  // _is_chinese_char
  static bool is_chinese(char32_t c) {
    return is_one_of(c, {{0x4E00, 0x9FFF},
                         {0x3400, 0x4DBF},
                         {0x20000, 0x2A6DF},
                         {0x2A700, 0x2B73F},
                         {0x2B740, 0x2B81F},
                         {0x2B820, 0x2CEAF},
                         {0xF900, 0xFAFF},
                         {0x2F800, 0x2FA1F}});
  }
  // str.isspace() beyond _is_whitespace: what str.split() splits at
  static bool is_python_space(char32_t c) {
    return is_whitespace(c) ||
           is_one_of(c, {{0xB, 0xC}, {0x1C, 0x1F}, {0x85, 0x85}, {0x2028, 0x2029}});
  }

  static Words split(const std::u32string& text) {
    Words words;
    std::u32string word;
    for (const char32_t c : text + U" ") {
      if (!is_python_space(c)) {
        word.push_back(c);
      } else if (!word.empty()) {
        words.push_back(std::exchange(word, {}));
      }
    }
    return words;
  }

  // BasicTokenizer.tokenize
  [[nodiscard]] Words basic_tokenize(const std::u32string& text) const {
    std::u32string clean;
    for (const char32_t c : text) {
      if (c == 0 || c == 0xFFFD || is_control(c)) continue;
      clean.push_back(is_whitespace(c) ? U' ' : c);
    }
    std::u32string spaced;
    for (const char32_t c : clean) {
      if (is_chinese(c)) {
        spaced += {U' ', c, U' '};
      } else {
        spaced.push_back(c);
      }
    }
    std::u32string joined;
    for (auto word : split(spaced)) {
      if (do_lower_case_) word = strip_accents(lower(word));
      for (const char32_t c : word) {
        if (is_punctuation(c)) {
          joined += {U' ', c, U' '};
        } else {
          joined.push_back(c);
        }
      }
      joined.push_back(U' ');
    }
    return split(joined);
  }

  // str.lower(): full case mapping, with the final sigma
  static std::u32string lower(const std::u32string& word) {
    std::u32string out;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const char32_t c = word[i];
      if (c == 0x130) {
        out += {U'i', 0x307};
      } else if (c == 0x3A3) {
        out.push_back(is_final_sigma(word, i) ? 0x3C2 : 0x3C3);
      } else {
        out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
      }
    }
    return out;
  }

  // Unicode 3.13, Final_Sigma
  static bool is_final_sigma(const std::u32string& word, std::size_t at) {
    std::size_t before = at;
    while (before > 0 && is_case_ignorable(word[before - 1])) --before;
    if (before == 0 || !is_cased(word[before - 1])) return false;
    std::size_t after = at + 1;
    while (after < word.size() && is_case_ignorable(word[after])) ++after;
    return after == word.size() || !is_cased(word[after]);
  }
  // D136
  static bool is_case_ignorable(char32_t c) {
    switch (category(c)) {
      case UTF8PROC_CATEGORY_MN:
      case UTF8PROC_CATEGORY_ME:
      case UTF8PROC_CATEGORY_CF:
      case UTF8PROC_CATEGORY_LM:
      case UTF8PROC_CATEGORY_SK:
        return true;
      default:
        return is_one_of(c, {{0x27, 0x27},
                             {0x2E, 0x2E},
                             {0x3A, 0x3A},
                             {0xB7, 0xB7},
                             {0x387, 0x387},
                             {0x55F, 0x55F},
                             {0x5F4, 0x5F4},
                             {0x2018, 0x2019},
                             {0x2024, 0x2024},
                             {0x2027, 0x2027},
                             {0xFE13, 0xFE13},
                             {0xFE52, 0xFE52},
                             {0xFE55, 0xFE55},
                             {0xFF07, 0xFF07},
                             {0xFF0E, 0xFF0E},
                             {0xFF1A, 0xFF1A}});
    }
  }
  // D135: letters with case, and Other_Lowercase and Other_Uppercase (those that are not ignorable)
  static bool is_cased(char32_t c) {
    switch (category(c)) {
      case UTF8PROC_CATEGORY_LU:
      case UTF8PROC_CATEGORY_LL:
      case UTF8PROC_CATEGORY_LT:
        return true;
      default:
        return is_one_of(c, {{0xAA, 0xAA},
                             {0xBA, 0xBA},
                             {0x2160, 0x217F},
                             {0x24B6, 0x24E9},
                             {0x1F130, 0x1F149},
                             {0x1F150, 0x1F169},
                             {0x1F170, 0x1F189}});
    }
  }

  // _run_strip_accents
  static std::u32string strip_accents(const std::u32string& word) {
    std::u32string decomposed;
    for (const char32_t c : word) {
      utf8proc_int32_t buffer[32];
      int boundary = 0;
      const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32,
                                             UTF8PROC_DECOMPOSE, &boundary);
      for (utf8proc_ssize_t i = 0; i < n; ++i)
        decomposed.push_back(static_cast<char32_t>(buffer[i]));
    }
    const auto combining = [](char32_t c) {
      return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
    };
    // canonical order, by exchanging neighbours
    for (std::size_t i = 1; i < decomposed.size(); ++i) {
      for (auto j = i; j > 0 && combining(decomposed[j]) != 0 &&
                       combining(decomposed[j - 1]) > combining(decomposed[j]);
           --j) {
        std::swap(decomposed[j - 1], decomposed[j]);
      }
    }
    std::erase_if(decomposed, [](char32_t c) { return category(c) == UTF8PROC_CATEGORY_MN; });
    return decomposed;
  }

  // WordpieceTokenizer.tokenize
  void word_piece(const std::u32string& word, std::vector<int>& ids) const {
    if (word.size() > 200) {
      ids.push_back(vocabulary_.at(U"[UNK]"));
      return;
    }
    std::vector<int> pieces;
    for (std::size_t start = 0; start < word.size();) {
      std::size_t end = word.size();
      for (; end > start; --end) {
        const auto at =
            vocabulary_.find((start > 0 ? U"##" : U"") + word.substr(start, end - start));
        if (at == vocabulary_.end()) continue;
        pieces.push_back(at->second);
        break;
      }
      if (end == start) {
        pieces = {vocabulary_.at(U"[UNK]")};
        break;
      }
      start = end;
    }
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }

  std::map<std::u32string, int> vocabulary_;
  bool do_lower_case_;
};

}  // namespace cloze::reference
