/// \file
/// One vector for a text from the vectors of its tokens.
#pragma once

#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)
namespace cloze {

/// How the vectors of the tokens become one.
enum class Pooling : std::uint8_t {
  none,    ///< no pooling: a vector a token
  cls,     ///< the vector of the first token, [CLS]
  mean,    ///< the mean over the tokens, special ones included (sentence-transformers' "mean")
  max,     ///< the largest value of each column over the tokens
  pooler,  ///< the model's own pooler: tanh(W · [CLS] + b)
  // Further ones of sentence-transformers.
  mean_sqrt_len,  ///< the sum over the tokens, divided by the square root of their number
  weighted_mean,  ///< the mean with weights 1, 2, 3, ... from the first token on
  last_token,     ///< the vector of the last token, [SEP]
};

/// By the names above, or sentence-transformers' "weightedmean" and "lasttoken". Throws
/// ArgumentError for another name.
[[nodiscard]] Pooling pooling_from(std::string_view name);

/// The name that `pooling_from` reads.
[[nodiscard]] std::string_view name_of(Pooling pooling);

}  // namespace cloze

#pragma GCC visibility pop
