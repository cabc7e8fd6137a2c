#include "text/files/configuration.h"

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json_fields.h"
#include "core/numbers.h"
#include "core/strings.h"
#include "text/files/added_token_list.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

}  // namespace

std::optional<Json> read_object_if_there(const fs::path& path) {
  if (!files::exists(path)) return std::nullopt;
  return read_json_object(path);
}

std::optional<AddedToken> special_token(const Json& config, const char* name,
                                        const std::string& origin) {
  const auto at = config.find(name);
  if (at == config.end() || at->is_null()) return std::nullopt;
  AddedToken token;
  if (at->is_object()) {
    token = read_added_token(*at, origin);
  } else {
    token.content = required_json_field<std::string>(config, name, origin);
  }
  token.special = true;
  if (!at->is_object() || !at->contains("normalized")) token.normalized = false;
  return token;
}

bool take_added_tokens(Configuration& configuration) {
  const auto& config = configuration.config;
  const auto& origin = configuration.origin;
  const auto at = config.find("added_tokens_decoder");
  if (at == config.end()) return false;
  if (!at->is_object()) {
    throw FormatError(fmt::format("{}: \"added_tokens_decoder\" is not an object", origin));
  }
  for (const auto& [id, json] : at->items()) {
    const auto number = whole_number<std::int32_t>(id);
    if (!number || *number < 0) {
      throw FormatError(
          fmt::format("{}: {} in added_tokens_decoder is no token id", origin, in_quotes(id)));
    }
    configuration.added.emplace_back(read_added_token(json, origin), *number);
  }
  configuration.has_decoder = true;
  return true;
}

Configuration read_configuration(const fs::path& directory) {
  Configuration result;
  const auto config_path = directory / "tokenizer_config.json";
  result.origin = config_path.string();
  if (auto config = read_object_if_there(config_path)) result.config = *std::move(config);
  if (take_added_tokens(result)) return result;
  // Older checkpoints: transformers merges these two in the same case.
  const auto map_path = directory / "special_tokens_map.json";
  if (const auto map = read_object_if_there(map_path)) {
    for (const auto& [name, value] : map->items()) result.config[name] = value;
  }
  const auto added_path = directory / "added_tokens.json";
  if (const auto added = read_object_if_there(added_path)) {
    for (const auto& [content, id] : added->items()) {
      AddedToken token;
      token.content = content;
      for (const auto* name : {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
                               "bos_token", "eos_token"}) {
        const auto special = special_token(result.config, name, map_path.string());
        token.special = token.special || (special && special->content == content);
      }
      token.normalized = !token.special;
      result.added.emplace_back(std::move(token),
                                required_json_count(*added, content.c_str(), added_path.string()));
    }
  }
  return result;
}

}  // namespace cloze::text
