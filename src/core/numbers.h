/// \file
/// Numbers from text, whatever the locale: the whole text must be the number.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace cloze {

/// A whole number in decimal digits, for signed types with an optional '-'. Nothing where the text
/// is anything else, or the number does not fit.
template <std::integral Number = std::int64_t>
[[nodiscard]] std::optional<Number> whole_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

/// A number as C writes it ("-1.5", "2e-3"), also "inf" and "nan".
[[nodiscard]] inline std::optional<double> real_number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

/// As real_number, but nothing for "inf" and "nan".
[[nodiscard]] inline std::optional<double> finite_number(std::string_view text) {
  const auto value = real_number(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace cloze
