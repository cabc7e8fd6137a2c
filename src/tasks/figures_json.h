/// \file
/// A class's figures as reports write them.
#pragma once

#include <nlohmann/json.hpp>

#include "metrics/classification.h"

namespace cloze {

/// {"precision": …, "recall": …, "f1": …, "support": …}, as scikit-learn's report has them.
[[nodiscard]] inline nlohmann::ordered_json figures_json(const PrecisionRecallF1& figures) {
  return {{"precision", figures.precision},
          {"recall", figures.recall},
          {"f1", figures.f1},
          {"support", figures.support}};
}

}  // namespace cloze
