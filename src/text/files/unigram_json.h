/// \file
/// The parts of a tokenizer.json whose model is Unigram.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "text/files/tokenizer_files.h"

namespace cloze::text {

/// The parts, null where the file has none; `model` without the pieces.
struct UnigramJson {
  const nlohmann::json &model, &normalizer, &pre_tokenizer, &decoder;
};

/// Takes what they say into `spec`, whose vocabulary has the pieces with these scores, as far as
/// `spec.tokenizer_class` takes them. Throws FormatError, and ModelError for components that Cloze
/// does not have.
void read_unigram_json(const UnigramJson& parts, std::vector<double> scores,
                       const std::string& origin, TokenizerSpec& spec);

/// The rules of XLMRobertaTokenizer for pieces with these scores, and a character map (may be null).
[[nodiscard]] UnigramRules xlm_roberta_rules(std::vector<double> scores, PrecompiledStep map);

/// The names that special tokens of such models have unless the files name others.
void name_usual_special_tokens(TokenizerSpec& spec);

}  // namespace cloze::text
