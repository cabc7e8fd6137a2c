#include "formats/shard_index.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json.h"

namespace cloze {

std::map<std::string, std::string, std::less<>> read_shard_index(std::string_view json,
                                                                 const std::string& origin) {
  const auto index = parse_json_object(json, origin);
  const auto field = index.find("weight_map");
  if (field == index.end() || !field->is_object()) {
    throw FormatError(
        fmt::format("{}: no \"weight_map\" object, which says where each tensor is", origin));
  }
  std::map<std::string, std::string, std::less<>> weight_map;
  for (const auto& [name, shard] : field->items()) {
    if (!shard.is_string()) {
      throw FormatError(fmt::format("{}: weight_map of {} must be a file name, found a {}", origin,
                                    in_quotes(name), shard.type_name()));
    }
    const auto& file = shard.get_ref<const std::string&>();
    if (file.empty() || file == "." || file == ".." ||
        file.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw FormatError(fmt::format("{}: weight_map of {} is {}, which is not a plain file name",
                                    origin, in_quotes(name), in_quotes(file)));
    }
    weight_map.emplace(name, file);
  }
  return weight_map;
}

}  // namespace cloze
