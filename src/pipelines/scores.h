/// \file
/// What the pipelines over sequence classifiers share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "cloze/config.h"
#include "cloze/error.h"
#include "cloze/text_classification.h"
#include "tasks/text_classification.h"

namespace cloze::internal {

/// `top_k`, of which 0 means all. Throws ArgumentError for a negative one.
[[nodiscard]] inline std::size_t checked_top_k(std::int64_t top_k) {
  if (top_k < 0) throw ArgumentError(fmt::format("top_k is {}: it must be at least 0", top_k));
  return top_k == 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(top_k);
}

/// What the logits of this model mean, unless `function` says otherwise.
[[nodiscard]] inline ScoreKind score_kind(const BertConfig& config, ScoreFunction function) {
  switch (function) {
    case ScoreFunction::softmax:
      return ScoreKind::softmax;
    case ScoreFunction::sigmoid:
      return ScoreKind::sigmoid;
    case ScoreFunction::none:
      return ScoreKind::value;
    case ScoreFunction::automatic:
      break;
  }
  return cloze::score_kind(config);
}

}  // namespace cloze::internal
