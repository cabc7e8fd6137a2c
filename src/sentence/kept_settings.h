/// \file
/// What of a model's settings outlives its fine-tuning.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cloze/config.h"

namespace cloze {

/// The text of `config_sentence_transformers.json` in `root` where it describes what `task` makes:
/// of a SentenceTransformer for "sentence-embedding", of a CrossEncoder for "ranking",
/// "regression" and "text-classification". Empty otherwise. Throws as reading it does.
[[nodiscard]] std::string kept_model_settings(const std::filesystem::path& root,
                                              std::string_view task);

/// States in config.json what `kept_model_settings` says about the scores of a CrossEncoder: there,
/// sentence-transformers 4 and later find it in a directory without modules.json. `origin` begins
/// messages.
void keep_activation(std::string_view model_settings, const std::string& origin,
                     BertConfig& config);

}  // namespace cloze
