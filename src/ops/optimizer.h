/// \file
/// The arithmetic of optimizers over flat arrays: AdamW and LAMB, and the norm of all gradients.
/// Everything divides its work over `num_threads()` and gives the same bits at any number of them.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/tensor.h"
#include "ops/context.h"
#include "ops/pending.h"

namespace cloze::ops {

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101) as PyTorch has it, with bias correction; or as
/// google-research/bert has it, without.
struct AdamSettings {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0.01;  ///< decoupled: times the learning rate
  bool bias_correction = true;
  std::int64_t step = 1;  ///< counts from 1, for the bias correction
};

/// One parameter's arrays, of equal length.
struct OptimizedArrays {
  std::span<float> value;
  std::span<float> gradient;         ///< read, then set to zero
  std::span<float> exp_avg;          ///< first moment
  std::span<float> exp_avg_sq;       ///< second moment
  std::span<BFloat16> rounded = {};  ///< the values in bf16, written beside them; or empty
  bool decay = true;
  double rate = 1;  ///< multiplies the learning rate
};

/// With g = scale·gradient: m = β1·m + (1-β1)·g, v = β2·v + (1-β2)·g², and
/// value -= lr·(m̂ / (sqrt(v̂) + ε) + decay·value). Moves 32 bytes a value.
void adamw(Context& context, std::span<const OptimizedArrays> arrays, const AdamSettings& settings,
           float scale);

/// The same step of some rows of an array [rows, cols] alone, which has no rounded values.
void adamw_rows(Context& context, const OptimizedArrays& array, std::int64_t cols,
                std::span<const std::int32_t> rows, const AdamSettings& settings, float scale);

/// Steps that a row of an array [rows, cols] was left out of, its gradient being zero.
struct OwedSteps {
  std::int32_t row = 0;
  std::int64_t first = 0;  ///< of the steps given, the first that it owes
  bool moved = true;       ///< its moments may be other than zero
};

/// Makes up for them, to the same bits: each row takes the steps from its first on.
void adamw_owed(Context& context, const OptimizedArrays& array, std::int64_t cols,
                std::span<const OwedSteps> rows, std::span<const AdamSettings> steps);

/// LAMB (You et al., arXiv:1904.00962): AdamW's update u of each array, times |value| / |u| where
/// both are positive. Arrays without decay are not scaled (google-research's
/// exclude_from_layer_adaptation).
void lamb(Context& context, std::span<const OptimizedArrays> arrays, const AdamSettings& settings,
          float scale);

/// The sum of the squares of all values, in double by blocks of fixed size, array after array. Not
/// finite where a value is not.
[[nodiscard]] Pending<double> sum_of_squares(Context& context,
                                             std::span<const std::span<const float>> arrays);

/// The same of some rows of an array [rows, cols].
[[nodiscard]] Pending<double> sum_of_squares(Context& context, std::span<const float> values,
                                             std::int64_t cols, std::span<const std::int32_t> rows);

}  // namespace cloze::ops
