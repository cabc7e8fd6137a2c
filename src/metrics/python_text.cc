#include "metrics/python_text.h"

#include <utf8proc.h>

#include "core/utf8.h"
#include "text/japanese/chars.h"

namespace cloze {
namespace {

utf8proc_category_t category_of(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

std::u32string python_lower(std::string_view text) {
  const utf8::ValidText valid(text);
  text::Chars chars;
  text::append_chars(valid.text(), 0, OffsetUnit::code_points, chars);
  std::u32string result;
  for (const auto& c : text::lower_case(chars)) result += c.cp;
  return result;
}

bool is_python_word(char32_t c) {
  if (c == '_') return true;
  switch (category_of(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_python_digit(char32_t c) { return category_of(c) == UTF8PROC_CATEGORY_ND; }

}  // namespace cloze
