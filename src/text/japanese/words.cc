#include "text/japanese/words.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/utf8.h"

namespace cloze::text {
namespace {

using Use = FunctionRef<bool(const Chars& word)>;

bool kept_whole(const JapaneseRules& rules, const Chars& word) {
  const auto text = utf8_of(word);
  return std::find(rules.kept_whole.begin(), rules.kept_whole.end(), text) !=
         rules.kept_whole.end();
}

Chars part_of(const Chars& chars, std::size_t begin, std::size_t end) {
  return {chars.begin() + static_cast<std::ptrdiff_t>(begin),
          chars.begin() + static_cast<std::ptrdiff_t>(end)};
}

/// Calls `use` for each run of characters that are not white space.
template <class UsePart>
bool for_spaced_parts(const Chars& text, const UsePart& use) {
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = at;
    while (at < text.size() && !is_python_space(text[at].cp)) ++at;
    if (at > begin && !use(begin, at)) return false;
    at += at < text.size() ? 1 : 0;
  }
  return true;
}

Chars cleaned(const Chars& text) {
  Chars result;
  for (const auto& c : text) {
    if (!is_dropped(c.cp)) result.push_back(c);
  }
  return result;
}

Chars without_accents(const Chars& word) {
  auto result = normal_form(word, NormalForm::nfd);
  std::erase_if(result, [](const NormalizedChar& c) { return is_mark(c.cp); });
  return result;
}

/// Hands on each punctuation mark of a word, and what stands between them.
bool split_at_punctuation(const Chars& word, Use use) {
  for (std::size_t at = 0; at < word.size();) {
    const auto begin = at;
    if (is_punctuation(word[at].cp)) {
      ++at;
    } else {
      while (at < word.size() && !is_punctuation(word[at].cp)) ++at;
    }
    const auto part = part_of(word, begin, at);
    if (!for_spaced_parts(
            part, [&](std::size_t from, std::size_t to) { return use(part_of(part, from, to)); })) {
      return false;
    }
  }
  return true;
}

/// transformers' BasicTokenizer, without words for Chinese characters.
void basic_words(const JapaneseRules& rules, const Chars& original, Use use) {
  const auto text = normal_form(cleaned(original), NormalForm::nfc);
  for_spaced_parts(text, [&](std::size_t begin, std::size_t end) {
    auto word = part_of(text, begin, end);
    if (rules.lowercase && !kept_whole(rules, word)) {
      word = without_accents(lower_case(word));
    }
    if (kept_whole(rules, word)) return use(word);
    return split_at_punctuation(word, use);
  });
}

void mecab_words(const JapaneseModel& model, const Chars& original, Use use) {
  const auto& rules = model.rules;
  const auto text = rules.normalize_text ? normal_form(original, NormalForm::nfkc) : original;
  const auto bytes = utf8_of(text);
  bool wanted = true;
  std::size_t byte = 0, at = 0;  // where the character `at` of `text` begins in `bytes`
  const auto character = [&](std::size_t wanted_byte) {
    for (; byte < wanted_byte; ++at) {
      char scratch[4];
      byte += static_cast<std::size_t>(utf8::encode(text[at].cp, scratch));
    }
    return at;
  };
  model.mecab->split(bytes, [&](std::size_t from, std::size_t to) {
    if (!wanted) return;
    const auto begin = character(from);
    auto word = part_of(text, begin, character(to));
    if (rules.lowercase && !kept_whole(rules, word)) word = lower_case(word);
    wanted = use(word);
  });
}

}  // namespace

void for_words(const JapaneseModel& model, const Chars& text, Use use) {
  switch (model.rules.words) {
    case WordTokenizer::basic:
      basic_words(model.rules, text, use);
      return;
    case WordTokenizer::mecab:
      mecab_words(model, text, use);
      return;
    default:
      static_cast<void>(use(text));
  }
}

}  // namespace cloze::text
