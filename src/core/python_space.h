/// \file
/// White space as Python has it, for what is compared with programs that are written in it.
#pragma once

namespace cloze {

/// `str.isspace()` of a character: what `str.split()` splits at and `str.strip()` takes off.
[[nodiscard]] constexpr bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

}  // namespace cloze
