#include "text/japanese/chars.h"

#include <algorithm>
#include <cstddef>

#include <utf8proc.h>

#include "core/utf8.h"
#include "text/normalize/decompose.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2;

struct PlacedPart {
  char32_t cp;
  std::uint8_t combining_class;
  std::int32_t begin, end;
};

// Whether Python makes the capital sigma at `at` a final one: after a cased letter and before none,
// case-ignorables aside.
bool final_sigma_at(const Chars& chars, std::size_t at) {
  const auto& table = unicode_table_google();
  const auto flags = [&](std::size_t i) { return table[chars[i].cp].flags; };
  std::size_t before = at;
  while (before > 0 && (flags(before - 1) & kIgnorable) != 0) --before;
  if (before == 0 || (flags(before - 1) & kCased) == 0) return false;
  std::size_t after = at + 1;
  while (after < chars.size() && (flags(after) & kIgnorable) != 0) ++after;
  return after == chars.size() || (flags(after) & kCased) == 0;
}

}  // namespace

void append_chars(std::string_view text, std::int32_t begin, OffsetUnit unit, Chars& chars) {
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    const char* const from = p;
    const char32_t cp = utf8::decode(p);
    const auto width = unit == OffsetUnit::code_points ? 1 : static_cast<std::int32_t>(p - from);
    chars.push_back({cp, begin, begin + width});
    begin += width;
  }
}

std::string utf8_of(const Chars& chars) {
  std::string text;
  for (const auto& c : chars) {
    char bytes[4];
    text.append(bytes, static_cast<std::size_t>(utf8::encode(c.cp, bytes)));
  }
  return text;
}

Chars normal_form(const Chars& chars, NormalForm form) {
  const auto& table = unicode_table_hf();
  const auto plain = [](const NormalizedChar& c) { return c.cp < 0x80; };
  if (std::all_of(chars.begin(), chars.end(), plain)) return chars;
  CanonicalOrder<PlacedPart> order;
  char32_t jamo[3], itself = 0;
  for (const auto& c : chars) {
    for (const char32_t cp : decomposition(c.cp, form == NormalForm::nfkc, jamo, itself)) {
      order.add({cp, table[cp].combining_class, c.begin, c.end});
    }
  }
  Chars result;
  const auto put = [&result](const PlacedPart& part) {
    result.push_back({part.cp, part.begin, part.end});
  };
  const auto all = order.take();
  if (form == NormalForm::nfd) {
    std::for_each(all.begin(), all.end(), put);
    return result;
  }
  compose(
      all,
      [](PlacedPart& starter, const PlacedPart& part, char32_t composed) {
        starter = {composed, 0, std::min(starter.begin, part.begin),
                   std::max(starter.end, part.end)};
      },
      put);
  return result;
}

Chars lower_case(const Chars& chars) {
  const auto& table = unicode_table_google();
  Chars result;
  result.reserve(chars.size());
  for (std::size_t i = 0; i < chars.size(); ++i) {
    const auto& c = chars[i];
    if (c.cp == kCapitalSigma) {
      result.push_back({final_sigma_at(chars, i) ? kFinalSigma : kSigma, c.begin, c.end});
      continue;
    }
    const auto lower = table.lower(table[c.cp]);
    if (lower.empty()) result.push_back(c);
    for (const char32_t cp : lower) result.push_back({cp, c.begin, c.end});
  }
  return result;
}

bool is_dropped(char32_t cp) {
  if (cp == '\t' || cp == '\n' || cp == '\r') return false;
  if (cp == 0xFFFD) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(cp))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
      return true;
    default:
      return false;
  }
}

bool is_punctuation(char32_t cp) { return (unicode_table_google()[cp].flags & kPunct) != 0; }

bool is_mark(char32_t cp) { return (unicode_table_google()[cp].flags & kMark) != 0; }

}  // namespace cloze::text
