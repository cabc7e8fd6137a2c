/// \file
/// What the optimizers' kernels are given and give, the same for every instruction set.
#pragma once

#include "cloze/tensor.h"

namespace cloze::ops {

/// The settings of one step as its arithmetic needs them.
struct AdamFactors {
  float scale, beta1, rest1, beta2, rest2, correct1, correct2, epsilon, decay, learning_rate;
};

/// A piece of a parameter's arrays.
struct PieceArrays {
  float* value;
  float* gradient;
  float* exp_avg;
  float* exp_avg_sq;
  BFloat16* rounded;  ///< or none
};

/// Sums of squares of a piece.
struct PieceNorms {
  double value = 0;
  double update = 0;
};

}  // namespace cloze::ops
