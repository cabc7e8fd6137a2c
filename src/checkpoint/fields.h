/// \file
/// The fields of a configuration, taken one after another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze::internal {

/// Takes fields out of a configuration's object, each as the type that it must have; what is left
/// at the end is what Cloze does not know.
class Fields {
 public:
  Fields(nlohmann::json object, const std::string& origin)
      : object_(std::move(object)), origin_(&origin) {}

  [[nodiscard]] bool has(const char* name) const { return object_.contains(name); }

  /// The value of a field that stays; null if absent.
  [[nodiscard]] nlohmann::json peek(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nlohmann::json() : *found;
  }

  void take(const char* name, std::int64_t& target) {
    if (auto value = extract(name)) target = integer(*value, name);
  }

  void take(const char* name, double& target) {
    if (auto value = extract(name)) target = number(*value, name);
  }

  void take(const char* name, bool& target) {
    if (auto value = extract(name)) {
      if (!value->is_boolean()) wrong_type(name, "true or false", *value);
      target = value->get<bool>();
    }
  }

  void take(const char* name, std::optional<double>& target) {
    if (auto value = extract(name); value && !value->is_null()) target = number(*value, name);
  }

  void take(const char* name, std::string& target) {
    if (auto value = extract(name); value && !value->is_null()) target = string(*value, name);
  }

  void take(const char* name, std::vector<std::string>& target) {
    if (auto value = extract(name); value && !value->is_null()) {
      if (!value->is_array()) wrong_type(name, "an array of strings", *value);
      for (const auto& item : *value) target.push_back(string(item, name));
    }
  }

  [[nodiscard]] std::optional<nlohmann::json> extract(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return std::nullopt;
    std::optional<nlohmann::json> value(std::move(*found));
    object_.erase(found);
    return value;
  }

  [[nodiscard]] std::int64_t integer(const nlohmann::json& value, const char* name) const {
    if (!value.is_number_integer()) wrong_type(name, "an integer", value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
      wrong_type(name, "a smaller integer", value);
    }
    return value.get<std::int64_t>();
  }

  [[noreturn]] void wrong_type(const char* name, std::string_view expected,
                               const nlohmann::json& found) const {
    throw FormatError(
        fmt::format("{}: \"{}\" must be {}, found {}", *origin_, name, expected, shown(found)));
  }

  /// A value, short enough for a message.
  [[nodiscard]] static std::string shown(const nlohmann::json& value) {
    if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    return value.dump();
  }

  [[nodiscard]] std::string rest() const { return object_.dump(); }
  [[nodiscard]] const nlohmann::json& object() const { return object_; }
  [[nodiscard]] const std::string& origin() const { return *origin_; }

 private:
  [[nodiscard]] double number(const nlohmann::json& value, const char* name) const {
    if (!value.is_number()) wrong_type(name, "a number", value);
    return value.get<double>();
  }

  [[nodiscard]] std::string string(const nlohmann::json& value, const char* name) const {
    if (!value.is_string()) wrong_type(name, "a string", value);
    return value.get<std::string>();
  }

  nlohmann::json object_;
  const std::string* origin_;
};

}  // namespace cloze::internal
