#include "text/japanese/chars.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include <utf8proc.h>

#include "core/utf8.h"
#include "text/normalize/decompose.h"
#include "text/normalize/unicode_tables.h"

namespace cloze::text {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2;

utf8proc_int32_t as_code(char32_t cp) { return static_cast<utf8proc_int32_t>(cp); }

std::uint8_t combining_class(char32_t cp) {
  return static_cast<std::uint8_t>(utf8proc_get_property(as_code(cp))->combining_class);
}

// The full decomposition of a character. The tables of `tokenizers` are of a version of Unicode that
// lacks characters of Japan's present era.
class Decomposition {
 public:
  Decomposition(char32_t cp, bool compatibility) {
    const auto options = static_cast<utf8proc_option_t>(
        UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE));
    int boundary = UTF8PROC_BOUNDCLASS_START;
    size_ =
        utf8proc_decompose_char(as_code(cp), parts_.data(),
                                static_cast<utf8proc_ssize_t>(parts_.size()), options, &boundary);
    if (size_ < 1 || size_ > static_cast<utf8proc_ssize_t>(parts_.size())) {
      parts_[0] = as_code(cp);
      size_ = 1;
    }
  }
  [[nodiscard]] std::span<const utf8proc_int32_t> parts() const {
    return std::span(parts_).first(static_cast<std::size_t>(size_));
  }

 private:
  std::array<utf8proc_int32_t, 32> parts_{};  // the longest has 18
  utf8proc_ssize_t size_ = 0;
};

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
  const auto plain = [](const NormalizedChar& c) { return c.cp < 0x80; };
  if (std::all_of(chars.begin(), chars.end(), plain)) return chars;
  CanonicalOrder<PlacedPart> order;
  for (const auto& c : chars) {
    const Decomposition decomposition(c.cp, form == NormalForm::nfkc);
    for (const auto part : decomposition.parts()) {
      const auto cp = static_cast<char32_t>(part);
      order.add({cp, combining_class(cp), c.begin, c.end});
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
  switch (utf8proc_category(as_code(cp))) {
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
