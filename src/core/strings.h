/// \file
/// Helpers for short texts: names, headers, cells, messages. They know ASCII alone and do not
/// depend on the locale of the program.
#pragma once

#include <string>
#include <string_view>

namespace cloze {

/// ASCII white space, as C's `isspace` has it: space, \t, \n, \v, \f, \r.
[[nodiscard]] constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// `text` without white space at its ends.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// `text` with A to Z as a to z; all other bytes stay.
[[nodiscard]] inline std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// `text` in double quotes for a message: control characters escaped, cut short after 80 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace cloze
