#include "serve/json/fields.h"

#include <utility>

#include <fmt/format.h>

#include "serve/request_error.h"

namespace cloze::serve {

using nlohmann::json;

std::string kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return "true or false";
    case json::value_t::string:
      return "a string";
    case json::value_t::array:
      return "a list";
    case json::value_t::object:
      return "an object";
    case json::value_t::number_float:
      return "a number with a fraction";
    default:
      return "a number";
  }
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 80;
  if (text.size() <= longest) return fmt::format("\"{}\"", text);
  auto end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("\"{}...\"", text.substr(0, end));
}

Fields::Fields(const json& object, std::string where) : object_(&object), where_(std::move(where)) {
  if (object.is_object()) return;
  const auto name = where_.empty() ? "the body" : where_.substr(0, where_.size() - 1);
  throw invalid(fmt::format("`{}` is {}: it must be an object", name, kind_of(object)), name);
}

std::string Fields::shown(const std::string& name) const {
  return fmt::format("`{}{}`", where_, name);
}

const json* Fields::find(const std::string& name) const {
  const auto found = object_->find(name);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const json& Fields::need(const std::string& name) const {
  if (const auto* found = find(name)) return *found;
  throw invalid(fmt::format("the field {} is missing", shown(name)), where_ + name);
}

std::optional<std::string> Fields::text(const std::string& name) const {
  const auto* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  throw invalid(fmt::format("{} is {}: it must be a string", shown(name), kind_of(*found)),
                where_ + name);
}

std::string Fields::need_text(const std::string& name) const {
  (void)need(name);
  return *text(name);
}

std::optional<bool> Fields::boolean(const std::string& name) const {
  const auto* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (found->is_boolean()) return found->get<bool>();
  throw invalid(fmt::format("{} is {}: it must be true or false", shown(name), kind_of(*found)),
                where_ + name);
}

bool Fields::boolean(const std::string& name, bool otherwise) const {
  return boolean(name).value_or(otherwise);
}

std::optional<std::int64_t> Fields::count(const std::string& name, std::int64_t lowest,
                                          std::int64_t highest) const {
  const auto* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (found->is_number_integer()) {
    const bool huge = found->is_number_unsigned() &&
                      found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    const auto value = huge ? INT64_MAX : found->get<std::int64_t>();
    if (!huge && value >= lowest && value <= highest) return value;
    throw invalid(fmt::format("{} is {}: it must be a whole number from {} to {}", shown(name),
                              found->dump(), lowest, highest),
                  where_ + name);
  }
  throw invalid(fmt::format("{} is {}: it must be a whole number from {} to {}", shown(name),
                            kind_of(*found), lowest, highest),
                where_ + name);
}

std::optional<std::vector<std::string>> Fields::texts(const std::string& name,
                                                      std::size_t most) const {
  const auto* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_array()) {
    throw invalid(
        fmt::format("{} is {}: it must be a list of strings", shown(name), kind_of(*found)),
        where_ + name);
  }
  if (found->size() > most) {
    throw invalid(fmt::format("{} has {} elements, and {} are the most: divide them over several "
                              "requests",
                              shown(name), found->size(), most),
                  where_ + name);
  }
  std::vector<std::string> texts;
  texts.reserve(found->size());
  for (const auto& each : *found) {
    if (!each.is_string()) {
      throw invalid(fmt::format("element {} of {} is {}: it must be a string", texts.size(),
                                shown(name), kind_of(each)),
                    where_ + name);
    }
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

Fields Fields::object(const std::string& name) const {
  static const auto nothing = json::object();
  const auto* found = find(name);
  return Fields(found == nullptr ? nothing : *found, where_ + name + ".");
}

}  // namespace cloze::serve
