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

/// Of fields of config.json and tokenizer_config.json that Cloze does not know; of a vocabulary with
/// upper-case letters beside a tokenizer that lower-cases what it reads, so that these tokens are
/// never found; of what versions of transformers do in different ways and the files do not state:
/// MeCab's dictionary, and the types of a pair's tokens.
[[nodiscard]] std::vector<std::string> model_warnings(const BertConfig& config,
                                                      const Tokenizer& tokenizer,
                                                      const std::filesystem::path& directory);

}  // namespace cloze::internal
