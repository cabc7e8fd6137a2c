/// \file
/// What the optimizers' kernels are given and give, the same for every instruction set.
#pragma once

namespace cloze::ops {

/// The settings of one step as its arithmetic needs them.
struct AdamFactors {
  float scale, beta1, rest1, beta2, rest2, correct1, correct2, epsilon, decay, learning_rate;
};

/// Sums of squares of a piece.
struct PieceNorms {
  double value = 0;
  double update = 0;
};

}  // namespace cloze::ops
