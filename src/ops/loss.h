/// \file
/// Losses and their gradients by the logits. Sums are added up in double, in an order that does not
/// depend on the number of threads. They come to the host when it asks for them (ops/pending.h).
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"
#include "ops/pending.h"

namespace cloze::ops {

/// A loss summed over rows.
struct LossSum {
  double sum = 0;             ///< nats for cross entropies
  double weight = 0;          ///< what makes a mean of the sum
  std::int64_t labelled = 0;  ///< rows, or segments, that have a label
  std::int64_t correct = 0;   ///< of them, those whose label has the greatest logit
};

/// Where the gradient of scale·sum goes.
struct LossGradient {
  double scale = 0;
  Matrix d_logits = {};  ///< without data: not wanted; in f32 it may be the logits
};

/// The cross entropy -log softmax(logits)[label] of logits f32 [rows, classes] with labels [rows],
/// each weighing 1, for as many classes as a vocabulary has words. The gradient,
/// scale·(softmax(logits) - onehot(label)), is f32 or bf16.
[[nodiscard]] Pending<LossSum> cross_entropy(Context& context, ConstMatrix logits,
                                             std::span<const std::int32_t> labels,
                                             const LossGradient& gradient);

/// PyTorch's CrossEntropyLoss: with p = softmax of a row, w the classes' weights (empty: all 1), s
/// the smoothing, C classes and y the label, a row adds -(1-s)·w[y]·log p[y] - s/C·Σ w[c]·log p[c]
/// to the sum and w[y] to the weight. Rows whose label is `ignored` have no loss.
struct ClassLoss {
  std::span<const float> class_weights = {};
  double smoothing = 0;
  std::int32_t ignored = -100;
};

/// ClassLoss of logits f32 [rows, classes] with labels [rows], for the few classes of a task, in
/// double.
[[nodiscard]] Pending<LossSum> class_cross_entropy(Context& context, ConstMatrix logits,
                                                   std::span<const std::int32_t> labels,
                                                   const ClassLoss& options,
                                                   const LossGradient& gradient);

/// Cross entropy over the rows of each segment, for one column of the logits: which token an answer
/// begins with, which choice of a group is right. Each segment weighs 1.
struct SegmentLoss {
  std::int64_t column = 0;
  std::span<const std::int32_t>
      cu_segments;                       ///< [segments + 1]: i has the rows from [i] to [i + 1]
  std::span<const std::int32_t> labels;  ///< [segments]: a place inside the segment
  double smoothing = 0;
};
[[nodiscard]] Pending<LossSum> segment_cross_entropy(Context& context, ConstMatrix logits,
                                                     const SegmentLoss& segments,
                                                     const LossGradient& gradient);

/// PyTorch's BCEWithLogitsLoss: log(1 + exp(-|x|)) + max(x, 0) - x·t for each element, weight 1.
[[nodiscard]] Pending<LossSum> binary_cross_entropy(Context& context, ConstMatrix logits,
                                                    std::span<const float> targets,
                                                    const LossGradient& gradient);

/// PyTorch's MSELoss: (x - t)² for each element, weight 1.
[[nodiscard]] Pending<LossSum> squared_error(Context& context, ConstMatrix logits,
                                             std::span<const float> targets,
                                             const LossGradient& gradient);

}  // namespace cloze::ops
