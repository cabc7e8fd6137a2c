#include "tasks/next_sentence.h"

#include <cmath>
#include <cstddef>

namespace cloze {

std::vector<double> next_sentence(const BertForNextSentencePrediction& model,
                                  std::span<const TokenizedText> pairs, std::int64_t batch_tokens) {
  std::vector<double> result(pairs.size());
  for (const auto& indices : plan_batches(pairs, batch_tokens)) {
    const auto logits = model(pack(pairs, indices));
    const auto values = logits.values<float>();
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const double next = values[2 * i];
      const double random = values[2 * i + 1];
      result[indices[i]] = 1.0 / (1.0 + std::exp(random - next));
    }
  }
  return result;
}

}  // namespace cloze
