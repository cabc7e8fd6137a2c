#include "tasks/top_tokens.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cloze {

std::vector<TokenProbability> top_tokens(std::span<const float> logits, std::size_t words,
                                         std::size_t count) {
  std::vector<std::int32_t> ids(words);
  std::iota(ids.begin(), ids.end(), 0);
  const auto better = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)];
    const float y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  count = std::min(count, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    better);
  const double total = log_sum_exp(logits);
  std::vector<TokenProbability> best;
  for (std::size_t i = 0; i < count; ++i) {
    const double logit = logits[static_cast<std::size_t>(ids[i])];
    best.push_back({.id = ids[i], .probability = std::exp(logit - total)});
  }
  return best;
}

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

}  // namespace cloze
