/// \file
/// How commands write: JSON without a tree in memory, and text that lines up in a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cloze::cli {

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);

/// Appends the shortest decimal that reads back as the same number; null for what JSON cannot say.
void append_json(std::string& out, float value);
void append_json(std::string& out, double value);

/// Appends "[1,2,3]".
void append_json(std::string& out, std::span<const float> values);
void append_json(std::string& out, std::span<const std::int32_t> values);

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
