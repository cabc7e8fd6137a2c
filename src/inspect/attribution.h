/// \file
/// Which tokens a score came from: integrated gradients (Sundararajan et al., arXiv:1703.01365) and
/// gradient × input, on the output of the word embeddings, as captum's LayerIntegratedGradients and
/// LayerGradientXActivation have them on `bert.embeddings.word_embeddings`.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bert/training/input_gradients.h"
#include "cloze/batch.h"
#include "cloze/tensor.h"

namespace cloze {

struct AttributionOptions {
  /// Points of the Gauss-Legendre quadrature along the straight path from the baseline's embeddings
  /// to the text's. 0: 50 (captum's default), doubled until the completeness gap is at most
  /// `gap`, or `most_steps` are reached.
  int steps = 0;
  double gap = 0.01;
  int most_steps = 800;
  /// Tokens of the points that are computed at once: what bounds the memory.
  std::int64_t batch_tokens = 1024;
  /// Told after each batch how many points are done, and of how many.
  std::function<void(std::int64_t, std::int64_t)> on_progress = {};
};

struct Attribution {
  /// f32 [tokens]: Σ over the embedding's elements of (x - x') · ∫ ∂score/∂x. Sums to
  /// score - baseline_score but for the completeness gap; 0 where the baseline has the text's
  /// token.
  Tensor integrated_gradients;
  /// f32 [tokens]: Σ x · ∂score/∂x at the text itself.
  Tensor gradient_x_input;
  double score = 0;           ///< of the text: the sum of the logits explained
  double baseline_score = 0;  ///< of the baseline
  int steps = 0;
  /// |Σ integrated_gradients - (score - baseline_score)| / |score - baseline_score|: how far the
  /// quadrature is off.
  double completeness_gap = 0;
};

/// Explains the sum of `logits` for the one sequence of `batch`, against the same sequence with
/// `baseline_ids`. Throws ArgumentError for another number of sequences or ids.
[[nodiscard]] Attribution attribute(internal::InputGradients& model, const Batch& batch,
                                    std::span<const std::int32_t> baseline_ids,
                                    std::span<const internal::ScoredLogit> logits,
                                    const AttributionOptions& options = {});

/// Points and weights of the Gauss-Legendre quadrature over [0, 1], ascending.
struct Quadrature {
  std::vector<double> points, weights;
};
[[nodiscard]] Quadrature gauss_legendre(int count);

}  // namespace cloze
