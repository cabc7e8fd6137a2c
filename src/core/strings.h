/// \file
/// Helpers for short texts: names, headers, cells, messages. They know ASCII alone and do not
/// depend on the locale of the program.
#pragma once

#include <filesystem>
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

/// Nothing but white space, or nothing at all.
[[nodiscard]] constexpr bool is_blank(std::string_view text) { return trimmed(text).empty(); }

/// `text` with A to Z as a to z; all other bytes stay.
[[nodiscard]] inline std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// `text` for a message: control characters and bytes that are not UTF-8 are written as `\x1b`, and
/// what comes after about 80 bytes is left out ("..."). Every value that comes from a file, the
/// network or a caller goes into a message through this function, in_quotes or json_excerpt.
[[nodiscard]] std::string excerpt(std::string_view text);

/// A path for a message, printable as `excerpt` makes it, and whole: only what is longer than any
/// real path is cut, after 1,024 bytes.
[[nodiscard]] std::string excerpt_of_path(const std::filesystem::path& path);

/// The same as `excerpt` in double quotes.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// The first 12 of `texts` for a message, each as `excerpt` shows it, with commas between them:
/// "a, b, ...".
template <class Range>
[[nodiscard]] std::string excerpt_of_list(const Range& texts) {
  constexpr std::size_t kMost = 12;
  constexpr std::size_t kLongest = 400;  // bytes of all
  std::string shown;
  std::size_t count = 0;
  for (const auto& text : texts) {
    if (count > 0) shown += ", ";
    if (count++ == kMost || shown.size() > kLongest) return shown + "...";
    shown += excerpt(text);
  }
  return shown;
}

}  // namespace cloze
