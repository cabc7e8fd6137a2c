#include "sentence/search/special_tokens.h"

#include <string_view>

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace cloze {
namespace {

/// Whether a text is one token, and that one.
bool is_whole(const Tokenizer& tokenizer, const std::string& text, std::int32_t id) {
  const auto encoding = tokenizer.encode(text, {.add_special_tokens = false});
  return encoding.ids.size() == 1 && encoding.ids.front() == id;
}

}  // namespace

Tokenizer with_markers(const Tokenizer& tokenizer, std::span<const std::string> markers) {
  auto file = parse_json_object(tokenizer.to_json(), "tokenizer.json");
  auto& added = file["added_tokens"];
  if (!added.is_array()) added = nlohmann::json::array();
  bool changed = false;
  for (const auto& marker : markers) {
    const auto first = marker.find_first_not_of(" \t\n");
    if (first == std::string::npos) continue;
    const auto end = marker.find_first_of(" \t\n", first);
    for (const auto& content : {marker, marker.substr(first, end - first)}) {
      const auto id = tokenizer.token_to_id(content);
      if (!id) continue;
      if (!is_whole(tokenizer, content, *id)) {
        std::erase_if(added.get_ref<nlohmann::json::array_t&>(),
                      [&](const auto& token) { return token.value("id", -1) == *id; });
        added.push_back({{"id", *id},
                         {"content", content},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
        changed = true;
      }
      break;
    }
  }
  if (!changed) return tokenizer;
  return Tokenizer::from_json(file.dump(), tokenizer.config_to_json());
}

}  // namespace cloze
