/// \file
/// Fields of JSON objects that come from outside, with errors that name them.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {

/// The field `name` of `object`; nothing where it is absent or null. Throws FormatError, which
/// `origin` begins, where `object` is none or the field is not a T. Numbers that must be whole have
/// functions of their own below.
template <class T>
[[nodiscard]] std::optional<T> json_field(const nlohmann::json& object, const char* name,
                                          const std::string& origin) {
  if (!object.is_object()) {
    throw FormatError(fmt::format("{}: expected an object with {}, found {}", origin,
                                  in_quotes(name), json_excerpt(object)));
  }
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) return std::nullopt;
  try {
    return at->get<T>();
  } catch (const nlohmann::json::exception&) {
    throw FormatError(fmt::format("{}: field {} is {}, which is of the wrong type", origin,
                                  in_quotes(name), json_excerpt(*at)));
  }
}

/// The same for a field that must be there.
template <class T>
[[nodiscard]] T required_json_field(const nlohmann::json& object, const char* name,
                                    const std::string& origin) {
  auto value = json_field<T>(object, name, origin);
  if (!value) throw FormatError(fmt::format("{}: field {} is missing", origin, in_quotes(name)));
  return *std::move(value);
}

/// A number; NaN for null, which is what JSON has in its place, and for none.
[[nodiscard]] inline double json_number_or_nan(const nlohmann::json& object, const char* name,
                                               const std::string& origin) {
  return json_field<double>(object, name, origin).value_or(std::nan(""));
}

/// A whole number; nothing for another value, and for one that a T does not hold.
template <std::integral T>
[[nodiscard]] std::optional<T> whole_json_number(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return std::in_range<T>(number) ? std::optional(static_cast<T>(number)) : std::nullopt;
  }
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<std::int64_t>();
  return std::in_range<T>(number) ? std::optional(static_cast<T>(number)) : std::nullopt;
}

/// A whole number, `least` or more, that must be there: a count of steps or bytes.
template <std::integral T = std::int64_t>
[[nodiscard]] T required_json_whole(const nlohmann::json& object, const char* name,
                                    const std::string& origin, T least = 0) {
  const auto value = required_json_field<nlohmann::json>(object, name, origin);
  const auto number = whole_json_number<T>(value);
  if (!number || *number < least) {
    throw FormatError(fmt::format("{}: field {} is {}; it must be a whole number from {}", origin,
                                  in_quotes(name), json_excerpt(value), least));
  }
  return *number;
}

/// A whole number in [0, 2^31), also written as 1.0.
[[nodiscard]] inline std::optional<std::int32_t> json_count(const nlohmann::json& object,
                                                            const char* name,
                                                            const std::string& origin) {
  const auto value = json_field<double>(object, name, origin);
  if (!value) return std::nullopt;
  if (*value < 0 || *value > std::numeric_limits<std::int32_t>::max() ||
      *value != std::floor(*value)) {
    throw FormatError(fmt::format("{}: field {} is {}; it must be a whole number in [0, 2^31)",
                                  origin, in_quotes(name), *value));
  }
  return static_cast<std::int32_t>(*value);
}

[[nodiscard]] inline std::int32_t required_json_count(const nlohmann::json& object,
                                                      const char* name, const std::string& origin) {
  const auto value = json_count(object, name, origin);
  if (!value) throw FormatError(fmt::format("{}: field {} is missing", origin, in_quotes(name)));
  return *value;
}

/// A list of such numbers that must be there.
[[nodiscard]] inline std::vector<std::int32_t> required_json_counts(const nlohmann::json& object,
                                                                    const char* name,
                                                                    const std::string& origin) {
  std::vector<std::int32_t> counts;
  for (const double value : required_json_field<std::vector<double>>(object, name, origin)) {
    counts.push_back(required_json_count({{name, value}}, name, origin));
  }
  return counts;
}

}  // namespace cloze
