/// \file
/// How commands write: JSON without a tree in memory, and text that lines up in a terminal.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

namespace cloze::cli {

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);

/// Appends the shortest decimal that reads back as the same number; null for what JSON cannot say.
void append_json(std::string& out, float value);
void append_json(std::string& out, double value);

template <std::integral Value>
void append_json(std::string& out, Value value) {
  out += std::to_string(value);
}

/// Appends a list: `append` is called for each element.
template <class Range, class Append>
void append_list(std::string& out, const Range& range, const Append& append) {
  out += '[';
  for (bool first = true; const auto& element : range) {
    if (!std::exchange(first, false)) out += ',';
    append(element);
  }
  out += ']';
}

/// Appends "[1,2,3]", or a list of anything else that append_json takes.
template <std::ranges::range Range>
requires(!std::convertible_to<const Range&, std::string_view>) void append_json(
    std::string& out, const Range& range) {
  append_list(out, range, [&](const auto& element) { append_json(out, element); });
}

/// A value for append_object: the list of what `of` makes of each element.
template <class Range, class Of>
[[nodiscard]] auto list_of(std::string& out, const Range& range, const Of& of) {
  return [&out, &range, of] {
    append_list(out, range,
                [&](const auto& element) { append_json(out, std::invoke(of, element)); });
  };
}

/// The fields of append_object.
inline void append_fields(std::string& /*out*/) {}
template <class Value, class... Rest>
void append_fields(std::string& out, std::string_view name, const Value& value,
                   const Rest&... rest) {
  if (!out.ends_with('{')) out += ',';
  append_json(out, name);
  out += ':';
  if constexpr (std::invocable<const Value&>) {
    value();
  } else {
    append_json(out, value);
  }
  append_fields(out, rest...);
}

/// Appends an object: names and values by turns. A value is what append_json takes, or a function
/// that appends the value.
template <class... Fields>
void append_object(std::string& out, const Fields&... fields) {
  out += '{';
  append_fields(out, fields...);
  out += '}';
}

/// `text` with control characters written as \n, \t or \x1b, which a terminal would obey, and bytes
/// that are not UTF-8 as U+FFFD: for labels and tokens that stand in a line.
[[nodiscard]] std::string printable(std::string_view text);

/// Columns that UTF-8 `text` takes in a terminal: wide characters two, combining marks none.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// `text` followed by spaces up to `width` columns.
[[nodiscard]] std::string padded(std::string_view text, std::size_t width);

/// `text` on one line of at most `width` columns, cut with an ellipsis; control characters are
/// shown as spaces and invalid bytes as U+FFFD.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);

/// Columns of the terminal that standard output (or standard error) is; 100 where it is none, or
/// has fewer than 20.
[[nodiscard]] std::size_t terminal_width(int descriptor = 1);

/// 1234567 → "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t value);

/// A number with so many digits after the point; "–" for one that does not exist (NaN).
[[nodiscard]] std::string figure(double value, int digits = 4);

/// "0:07", "12:30", "3:05:00", "4 d 3 h".
[[nodiscard]] std::string clock_text(double seconds);

/// The JSON on one line; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_text(const nlohmann::ordered_json& json);

/// Writes a sentence for a person to standard error: "note: ...".
void print_notice(const std::string& sentence);

/// Writes to standard output all that a command has to say.
void print(std::string_view text);

}  // namespace cloze::cli
