#include "text/files/added_token_list.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/json_fields.h"

namespace cloze::text {

AddedToken read_added_token(const nlohmann::json& json, const std::string& origin) {
  AddedToken token;
  token.content = required_json_field<std::string>(json, "content", origin);
  token.single_word = json_field<bool>(json, "single_word", origin).value_or(false);
  token.lstrip = json_field<bool>(json, "lstrip", origin).value_or(false);
  token.rstrip = json_field<bool>(json, "rstrip", origin).value_or(false);
  token.special = json_field<bool>(json, "special", origin).value_or(false);
  token.normalized = json_field<bool>(json, "normalized", origin).value_or(!token.special);
  return token;
}

void AddedTokenList::add(AddedToken token, std::optional<std::int32_t> wanted,
                         const std::string& origin) {
  if (token.content.empty()) return;
  if (const auto id = vocabulary_.id_of(token.content)) {
    token.id = *id;
  } else {
    token.id = wanted.value_or(vocabulary_.size());
    try {
      vocabulary_.add(token.content, token.id, false);
    } catch (const ArgumentError& error) {
      throw FormatError(fmt::format("{}: {}", origin, error.what()));
    }
  }
  const auto [same, added] = place_of_.try_emplace(token.content, tokens_.size());
  if (added) {
    tokens_.push_back(std::move(token));
  } else {
    tokens_[same->second] = std::move(token);
  }
}

bool AddedTokenList::contains(const std::string& content) const {
  return place_of_.contains(content);
}

std::vector<AddedToken> AddedTokenList::take() {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  place_of_.clear();
  return std::move(tokens_);
}

}  // namespace cloze::text
