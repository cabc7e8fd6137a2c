#include "metrics/python_text.h"

#include <utf8proc.h>

#include "core/utf8.h"

namespace cloze {
namespace {

utf8proc_category_t category_of(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

std::u32string python_lower(std::string_view text) {
  constexpr char32_t dotted_capital_i = 0x130, combining_dot = 0x307;
  const utf8::ValidText valid(text);
  std::u32string result;
  const auto* p = valid.text().data();
  const auto* const end = p + valid.text().size();
  while (p < end) {
    const auto c = utf8::decode(p);
    if (c == dotted_capital_i) {  // the one letter that becomes two
      result += {U'i', combining_dot};
      continue;
    }
    result += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  }
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
