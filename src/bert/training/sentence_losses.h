/// \file
/// The losses of pairs of sentence vectors.
#pragma once

#include <span>

#include "ops/loss.h"

namespace cloze::internal {

// Rows 2i and 2i + 1 of `vectors` [2 pairs, hidden] f32 are pair i. Each pair weighs 1, and the
// gradient is that of scale·sum; `d_vectors` without data: not wanted; it may be `vectors`.

/// sentence-transformers' MultipleNegativesRankingLoss: the other pairs' second texts are wrong
/// answers to a first text. With s_ij = 20 cos(a_i, b_j), pair i adds -log softmax_j(s_i)[i].
[[nodiscard]] ops::LossSum in_batch_negatives(ops::ConstMatrix vectors, double scale,
                                              ops::Matrix d_vectors);

/// sentence-transformers' CosineSimilarityLoss: pair i adds (cos(a_i, b_i) - targets[i])².
[[nodiscard]] ops::LossSum cosine_error(ops::ConstMatrix vectors, std::span<const float> targets,
                                        double scale, ops::Matrix d_vectors);

}  // namespace cloze::internal
