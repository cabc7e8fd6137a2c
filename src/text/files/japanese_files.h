/// \file
/// What tokenizer_config.json says of a BertJapaneseTokenizer.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "text/files/configuration.h"
#include "text/files/tokenizer_files.h"
#include "text/japanese/rules.h"

namespace cloze::text {

/// The rules that a configuration states, or BertJapaneseTokenizer's own where it does not.
/// `model_config` is config.json, which does not decide but must not contradict. Throws FormatError,
/// and ModelError for a tokenizer of words or pieces that Cloze does not have.
[[nodiscard]] JapaneseRules read_japanese_rules(const Configuration& configuration,
                                                const nlohmann::json& model_config);

/// What BertJapaneseTokenizer does by itself, into a specification whose special tokens are known.
void finish_japanese(TokenizerSpec& spec);

/// Adds what a configuration states of the rules.
void write_japanese_rules(const TokenizerSpec& spec, nlohmann::ordered_json& config);

}  // namespace cloze::text
