/// \file
/// What is probably not as it should be about a model that was loaded, in words for people.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/config.h"
#include "cloze/tokenizer.h"

namespace cloze::internal {

/// Of fields of config.json that Cloze does not know; of a vocabulary with upper-case letters beside
/// a tokenizer that lower-cases what it reads, so that these tokens are never found; of a dictionary of
/// MeCab that the files do not name.
[[nodiscard]] std::vector<std::string> model_warnings(const BertConfig& config,
                                                      const Tokenizer& tokenizer,
                                                      const std::filesystem::path& directory);

}  // namespace cloze::internal
