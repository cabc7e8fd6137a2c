/// \file
/// Computes the attributions that cloze/inspect.h describes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bert/training/input_gradients.h"
#include "cloze/batch.h"
#include "cloze/inspect.h"
#include "cloze/progress.h"

namespace cloze {

/// Explains the sum of `logits` for the one sequence of `batch`, against the same sequence with
/// `baseline_ids`. `progress` is told of the steps that are done after each batch of them. Throws
/// ArgumentError for another number of sequences or ids, Cancelled.
[[nodiscard]] Attribution attribute(internal::InputGradients& model, const Batch& batch,
                                    std::span<const std::int32_t> baseline_ids,
                                    std::span<const internal::ScoredLogit> logits,
                                    const AttributionOptions& options = {},
                                    const ProgressCallback& progress = {});

/// Points and weights of the Gauss-Legendre quadrature over [0, 1], ascending.
struct Quadrature {
  std::vector<double> points, weights;
};
[[nodiscard]] Quadrature gauss_legendre(int count);

}  // namespace cloze
