#include "metrics/cmrc.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/utf8.h"
#include "metrics/python_text.h"

namespace cloze {
namespace {

constexpr std::u32string_view kPunctuation =
    U"-:_*^/\\~`+=\uFF0C\u3002\uFF1A\uFF1F\uFF01\u201C\u201D\uFF1B\u2019\u300A\u300B\u00B7\u3001"
    U"\u300C\u300D\uFF08\uFF09\uFF0D\uFF5E\u300E\u300F";
// What NLTK makes a word by itself.
constexpr std::u32string_view kAlone =
    U";@#$%&?!()[]{}<>\"\u00AB\u00BB\u2018\u201E\u2012\u2013\u2014\u2015";
constexpr std::u32string_view kClosing = U"])}>\"'\u00BB";

bool is_one_of(char32_t c, std::u32string_view set) {
  return set.find(c) != std::u32string_view::npos;
}
bool is_ideograph(char32_t c) { return c >= 0x4E00 && c <= 0x9FA5; }

std::u32string lowered(std::string_view text) {
  auto result = python_lower(text);
  const auto is_text = [](char32_t c) { return !is_python_space(c); };
  result.erase(std::find_if(result.rbegin(), result.rend(), is_text).base(), result.end());
  result.erase(result.begin(), std::find_if(result.begin(), result.end(), is_text));
  return result;
}

/// Where the period stands that ends a text, closing brackets and quotes aside; its size for none.
std::size_t final_period(const std::u32string& text) {
  auto end = text.size();
  while (end > 0 && (is_python_space(text[end - 1]) || is_one_of(text[end - 1], kClosing))) --end;
  // After nothing, or another period, it is no end.
  return end >= 2 && text[end - 1] == '.' && text[end - 2] != '.' ? end - 1 : text.size();
}

/// The size of the clitic at the end of a word: of "it's" 2, of "don't" 3; 0 for none.
std::size_t clitic_of(const std::u32string& word) {
  for (const std::u32string_view clitic :
       {U"'ll", U"'re", U"'ve", U"n't", U"'s", U"'m", U"'d", U"'"}) {
    if (word.size() > clitic.size() && word.ends_with(clitic) &&
        word[word.size() - clitic.size() - 1] != '\'') {
      return clitic.size();
    }
  }
  return 0;
}

/// Whether a word begins with a quotation mark, and not with a clitic.
bool is_quoted(const std::u32string& word) {
  if (word.size() < 2 || word[0] != '\'' || !is_python_word(word[1])) return false;
  std::size_t end = 1;
  while (end < word.size() && is_python_word(word[end])) ++end;
  const auto first = std::u32string_view(word).substr(1, end - 1);
  return first != U"re" && first != U"ve" && first != U"ll" && first != U"m" && first != U"t" &&
         first != U"s" && first != U"d" && first != U"n";
}

void append_word(std::u32string word, std::vector<std::u32string>& words) {
  if (is_quoted(word)) {
    words.emplace_back(U"'");
    word.erase(0, 1);
  }
  if (word.empty()) return;
  const auto clitic = clitic_of(word);
  if (clitic == 0) {
    words.push_back(std::move(word));
    return;
  }
  words.push_back(word.substr(0, word.size() - clitic));
  words.push_back(word.substr(word.size() - clitic));
}

/// Cuts a text without ideographs into words.
void append_words(const std::u32string& text, std::vector<std::u32string>& words) {
  const auto period = final_period(text);
  std::u32string word;
  std::size_t passed_over =
      text.size();  // NLTK's rule for a comma takes the character after it along
  const auto flush = [&] { append_word(std::exchange(word, {}), words); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const bool last = i + 1 == text.size();
    if (is_python_space(c)) {
      flush();
    } else if (c == '.' && !last && text[i + 1] == '.') {  // a run of them
      flush();
      auto end = i;
      while (end < text.size() && text[end] == '.') ++end;
      words.push_back(text.substr(i, end - i));
      i = end - 1;
    } else if (i == period || is_one_of(c, kAlone) ||
               (c == ',' && (last || (i != passed_over && !is_python_digit(text[i + 1]))))) {
      if (c == ',') passed_over = i + 1;
      flush();
      words.emplace_back(1, c);
    } else {
      word += c;
    }
  }
  flush();
}

/// The longest run that both have, in segments.
std::size_t longest_common_run(const std::vector<std::u32string>& a,
                               const std::vector<std::u32string>& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::size_t longest = 0;
  for (const auto& segment : a) {
    for (std::size_t j = b.size(); j > 0; --j) {
      row[j] = segment == b[j - 1] ? row[j - 1] + 1 : 0;
      longest = std::max(longest, row[j]);
    }
  }
  return longest;
}

std::u32string without_punctuation(std::string_view text) {
  auto result = lowered(text);
  std::erase_if(result, [](char32_t c) { return is_one_of(c, kPunctuation); });
  return result;
}

}  // namespace

std::vector<std::u32string> cmrc_segments(std::string_view text) {
  std::vector<std::u32string> segments;
  std::u32string between;
  for (const char32_t c : without_punctuation(text)) {
    if (!is_ideograph(c)) {
      between += c;
      continue;
    }
    append_words(std::exchange(between, {}), segments);
    segments.emplace_back(1, c);
  }
  append_words(between, segments);
  return segments;
}

bool cmrc_exact_match(std::string_view gold, std::string_view predicted) {
  return without_punctuation(gold) == without_punctuation(predicted);
}

double cmrc_f1(std::string_view gold, std::string_view predicted) {
  const auto right = cmrc_segments(gold), found = cmrc_segments(predicted);
  if (right.empty() && found.empty()) return 1;
  const auto common = static_cast<double>(longest_common_run(right, found));
  if (common == 0) return 0;
  const double precision = common / static_cast<double>(found.size());
  const double recall = common / static_cast<double>(right.size());
  return 2 * precision * recall / (precision + recall);
}

bool mostly_chinese(const std::vector<std::string_view>& texts) {
  std::int64_t letters = 0, ideographs = 0, kana = 0;
  for (const auto text : texts) {
    const utf8::ValidText valid(text);
    const auto* p = valid.text().data();
    for (const auto* const end = p + valid.text().size(); p < end;) {
      const auto c = utf8::decode(p);
      letters += is_python_word(c) ? 1 : 0;
      ideographs += c >= 0x3400 && c <= 0x9FFF ? 1 : 0;
      kana += c >= 0x3041 && c <= 0x30FF ? 1 : 0;
    }
  }
  return ideographs * 2 > letters && kana * 50 < letters;
}

}  // namespace cloze
