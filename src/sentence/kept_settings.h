/// \file
/// What of a model's settings outlives its fine-tuning, and what does not.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/config.h"
#include "cloze/sentence_settings.h"

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

/// What makes a model's vectors other than the mean of the tokens, which sentence-embedding trains
/// and measures: "another pooling", "a dense layer", ...; empty for nothing.
[[nodiscard]] std::string_view other_than_mean(const SentenceSettings& settings);

/// What of the model in `root` its training does not take up, a sentence each: the projection of
/// DPR's and ColBERT's encoders, and with the task "sentence-embedding" another way to a vector
/// than the mean of the tokens. Throws as reading config.json and the checkpoint does.
[[nodiscard]] std::vector<std::string> left_out_of_training(const std::filesystem::path& root,
                                                            std::string_view task);

}  // namespace cloze
