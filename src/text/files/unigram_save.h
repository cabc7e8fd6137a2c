/// \file
/// The parts of a tokenizer.json whose model is Unigram, to be written.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "text/files/piece_score.h"
#include "text/files/unigram_json.h"
#include "text/unigram/rules.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

[[nodiscard]] nlohmann::ordered_json normalizer_json(const UnigramRules& rules);
[[nodiscard]] nlohmann::ordered_json pre_tokenizer_json(const UnigramRules& rules);
[[nodiscard]] nlohmann::ordered_json metaspace_json(const Metaspace& metaspace);

/// What stands for the model in a file that is handed to `with_pieces`.
inline constexpr std::string_view kPiecesGoHere = "<the model>";

/// The file with the model in place of that, which is its last value.
[[nodiscard]] std::string with_pieces(std::string file, const UnigramRules& rules,
                                      const Vocabulary& vocabulary, Decimals decimals);

}  // namespace cloze::text
