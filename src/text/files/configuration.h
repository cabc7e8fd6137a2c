/// \file
/// What tokenizer_config.json says, and in older checkpoints special_tokens_map.json and
/// added_tokens.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "text/encode/added_tokens.h"

namespace cloze::text {

struct Configuration {
  nlohmann::json config = nlohmann::json::object();
  std::string origin;
  /// Stated tokens, with their ids where those are stated.
  std::vector<std::pair<AddedToken, std::optional<std::int32_t>>> added{};
  bool has_decoder = false;  ///< whether those are of added_tokens_decoder
};

/// What the files in `directory` say. Throws FormatError.
[[nodiscard]] Configuration read_configuration(const std::filesystem::path& directory);

/// Takes the tokens of `added_tokens_decoder` in `configuration.config`; false where there is none.
/// Throws FormatError.
bool take_added_tokens(Configuration& configuration);

/// A special token as a configuration names it: a string, or an AddedToken's fields. Throws
/// FormatError.
[[nodiscard]] std::optional<AddedToken> special_token(const nlohmann::json& config,
                                                      const char* name, const std::string& origin);

/// The object in a file; nothing where there is no file. Throws FormatError.
[[nodiscard]] std::optional<nlohmann::json> read_object_if_there(const std::filesystem::path& path);

}  // namespace cloze::text
