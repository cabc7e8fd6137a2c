/// \file
/// How commands write: JSON without a tree in memory, and text that lines up in a terminal.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cloze::cli {

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);

/// Appends the shortest decimal that reads back as the same number; null for what JSON cannot say.
void append_json(std::string& out, float value);
void append_json(std::string& out, double value);

/// Appends "[1,2,3]".
void append_json(std::string& out, std::span<const float> values);
void append_json(std::string& out, std::span<const std::int32_t> values);

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
  } else if constexpr (std::integral<Value>) {
    out += std::to_string(value);
  } else {
    append_json(out, value);
  }
  append_fields(out, rest...);
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

/// Appends an object: names and values by turns. A value is what append_json takes, a whole number,
/// or a function that appends the value.
template <class... Fields>
void append_object(std::string& out, const Fields&... fields) {
  out += '{';
  append_fields(out, fields...);
  out += '}';
}

/// Columns that UTF-8 `text` takes in a terminal: wide characters two, combining marks none.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// `text` followed by spaces up to `width` columns.
[[nodiscard]] std::string padded(std::string_view text, std::size_t width);

/// `text` on one line of at most `width` columns, cut with an ellipsis; control characters are
/// shown as spaces and invalid bytes as U+FFFD.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);

/// Columns of the terminal that standard output is, 100 where it is none.
[[nodiscard]] std::size_t terminal_width();

/// 1234567 → "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t value);

}  // namespace cloze::cli
