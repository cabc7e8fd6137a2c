/// \file
/// Next sentence prediction: does the second text follow the first?
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/bert.h"
#include "datasets/batching.h"

namespace cloze {

/// The probability that the second text of each pair follows the first: softmax of the head's two
/// logits, of which 0 means "is next".
[[nodiscard]] std::vector<double> next_sentence(const BertForNextSentencePrediction& model,
                                                std::span<const TokenizedText> pairs,
                                                std::int64_t batch_tokens);

}  // namespace cloze
