/// \file
/// The likeliest entries of a vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cloze {

struct TokenProbability {
  std::int32_t id = 0;
  double probability = 0;  ///< softmax over all logits
};

/// The `count` greatest of the first `words` logits, greatest first, equal ones by id. A model may have
/// more rows than its vocabulary has words: those are no candidates, but count in the softmax.
[[nodiscard]] std::vector<TokenProbability> top_tokens(std::span<const float> logits,
                                                       std::size_t words, std::size_t count);

/// log Σ exp(logit), stable.
[[nodiscard]] double log_sum_exp(std::span<const float> logits);

}  // namespace cloze
