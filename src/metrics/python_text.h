/// \file
/// What Python's str makes of characters, for scripts of evaluation that are written in it.
#pragma once

#include <string>
#include <string_view>

#include "core/python_space.h"

namespace cloze {

/// `str.lower()`; of text that is not UTF-8, U+FFFD.
[[nodiscard]] std::u32string python_lower(std::string_view text);
/// `\w` of its regular expressions.
[[nodiscard]] bool is_python_word(char32_t c);
/// `\d`.
[[nodiscard]] bool is_python_digit(char32_t c);

}  // namespace cloze
