/// \file
/// The text (or pair) that is looked into, tokenized and divided into words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cloze/inspect.h"
#include "cloze/tokenizer.h"

namespace cloze {

/// Tokenizes a text or pair for a model that reads `limit` tokens. Throws ArgumentError for a text
/// (or second text) without a token, and for one over the limit that is not to be truncated.
[[nodiscard]] InspectedText inspected_text(const Tokenizer& tokenizer, std::string text,
                                           std::optional<std::string> pair, std::int64_t limit,
                                           bool truncate);

/// The indices of tokens that are part of the text: not [CLS], [SEP], [MASK].
[[nodiscard]] std::vector<std::int32_t> own_positions(const InspectedText& text,
                                                      const Tokenizer& tokenizer);

/// The piece of the text that the tokens [begin, end) of one sequence came from.
[[nodiscard]] std::string surface(const InspectedText& text, std::int32_t begin, std::int32_t end);

}  // namespace cloze
