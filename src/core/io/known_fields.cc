#include "core/io/known_fields.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {
namespace {

const KnownField* find(std::span<const KnownField> table, std::string_view name) {
  const auto at = std::find_if(table.begin(), table.end(),
                               [&](const KnownField& field) { return field.name == name; });
  return at == table.end() ? nullptr : &*at;
}

bool is_among(const nlohmann::json& value, std::string_view values) {
  const auto text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  while (!values.empty()) {
    const auto end = values.find('|');
    if (values.substr(0, end) == text) return true;
    if (end == std::string_view::npos) break;
    values.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

void refuse_fields(const nlohmann::json& object, std::span<const KnownField> table,
                   const std::string& origin) {
  for (const auto& [name, value] : object.items()) {
    const auto* field = find(table, name);
    if (field == nullptr || field->effect != KnownField::Effect::refused) continue;
    if (is_among(value, field->harmless_values)) continue;
    throw ModelError(
        fmt::format("{}: \"{}\" is {}: {}", origin, field->name, json_excerpt(value), field->why));
  }
}

std::vector<std::string> unknown_fields(const nlohmann::json& object,
                                        std::span<const KnownField> table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) {
    if (find(table, name) == nullptr) names.push_back(name);
  }
  return names;
}

std::string warning_of_unknown(const std::vector<std::string>& names, const std::string& origin) {
  return fmt::format("{}: Cloze does not know {}, which {} ignored", origin, excerpt_of_list(names),
                     names.size() == 1 ? "is" : "are");
}

void check_fields(const nlohmann::json& object, std::span<const KnownField> table,
                  const std::string& origin, std::vector<std::string>& warnings) {
  refuse_fields(object, table, origin);
  const auto unknown = unknown_fields(object, table);
  if (!unknown.empty()) warnings.push_back(warning_of_unknown(unknown, origin));
}

}  // namespace cloze
