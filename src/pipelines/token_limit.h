/// \file
/// How long a text a model reads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cloze/config.h"
#include "cloze/tokenizer.h"

namespace cloze::internal {

/// Tokens of a text, where the model's settings state nothing else: what its tokenizer states, and
/// its positions at most.
[[nodiscard]] inline std::int64_t token_limit(const Tokenizer& tokenizer,
                                              const BertConfig& config) {
  return std::min(tokenizer.model_max_length().value_or(config.max_position_embeddings),
                  config.max_position_embeddings);
}

}  // namespace cloze::internal
