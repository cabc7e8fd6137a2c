/// \file
/// The fields of tokenizer_config.json (with special_tokens_map.json), as transformers 2 to 5 write
/// them for the tokenizers that Cloze reads.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace cloze::text {

/// Throws ModelError, which `origin` begins, for a field by which text would be read in a way that
/// Cloze does not have: texts that are cut at their beginning, ...
void refuse_tokenizer_fields(const nlohmann::json& config, const std::string& origin);

/// The names that no version of transformers gives such a file.
[[nodiscard]] std::vector<std::string> unknown_tokenizer_fields(const nlohmann::json& config);

/// Whether the tokenizer gives a model the types of its tokens: as `model_input_names` says, or else
/// the class `name` ("" for BertTokenizer). A model that gets none takes 0 for all of them.
[[nodiscard]] bool gives_token_types(const nlohmann::json& config, const std::string& name,
                                     const std::string& origin);

}  // namespace cloze::text
