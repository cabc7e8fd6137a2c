/// \file
/// The added tokens of a tokenizer's files, gathered from several of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "text/encode/added_tokens.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// An added token as the files write it. Throws FormatError.
[[nodiscard]] AddedToken read_added_token(const nlohmann::json& json, const std::string& origin);

/// Added tokens by content; a later one of the same content replaces the earlier. Each token's id is
/// the vocabulary's where it is in it.
class AddedTokenList {
 public:
  /// The vocabulary gets the tokens that it does not have.
  explicit AddedTokenList(Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  /// `wanted` is the id that the file states, if it does. Throws FormatError for an id that another
  /// token has.
  void add(AddedToken token, std::optional<std::int32_t> wanted, const std::string& origin);

  [[nodiscard]] bool contains(const std::string& content) const;

  /// In order of id.
  [[nodiscard]] std::vector<AddedToken> take();

 private:
  Vocabulary& vocabulary_;
  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, std::size_t> place_of_;  ///< in `tokens_`, by content
};

}  // namespace cloze::text
