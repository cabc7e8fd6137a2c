/// \file
/// Text classification: one label of several (cross entropy), or any number of labels (binary cross
/// entropy), for a text or a pair. Here is what turns its logits into answers; the task itself is
/// made by the registry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cloze/config.h"

namespace cloze {

/// What a sequence classifier's logits mean, as transformers' pipeline decides it.
enum class ScoreKind : std::uint8_t {
  softmax,  ///< probabilities of labels that exclude each other
  sigmoid,  ///< a probability of each label: multi-label, or a single output
  value,    ///< problem_type "regression": the value itself
};
[[nodiscard]] ScoreKind score_kind(const BertConfig& config);

/// Scores of one text's logits, in the labels' order.
[[nodiscard]] std::vector<double> label_scores(std::span<const float> logits, ScoreKind kind);

struct RankedLabel {
  std::size_t label = 0;
  double score = 0;
};

/// The `count` best, best first; equal ones in the labels' order.
[[nodiscard]] std::vector<RankedLabel> best_labels(std::span<const double> scores,
                                                   std::size_t count);

}  // namespace cloze
