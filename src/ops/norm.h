/// \file
/// Layer norm (Ba et al., arXiv:1607.06450), and the form that training uses: dropout, residual and
/// norm in one pass over a row.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "ops/context.h"
#include "ops/dropout.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// Scale and shift of a layer norm, f32 [hidden] each, and its epsilon. A view: `storage` keeps
/// alive what the spans look at, where nobody else does.
struct NormParameters {
  std::span<const float> gamma;
  std::span<const float> beta;
  float epsilon = 1e-12F;
  std::shared_ptr<const void> storage = {};
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta for each row of x [rows, hidden]; y may
/// be x. Statistics in f32, two passes. Moves 2 elements a value.
void layer_norm(Context& context, ConstMatrix x, const NormParameters& parameters, Matrix y);

/// What the backward pass of a layer norm needs of its forward.
struct SavedNorm {
  Matrix normalized;         ///< [rows, cols] compute: (z - mean) / deviation
  std::span<float> inverse;  ///< [rows]: 1 / deviation
};

/// The operands of `residual_norm`; matrices are [rows, cols].
struct ResidualNorm {
  ConstMatrix x;
  Dropout dropout = {};       ///< of x
  ConstMatrix residual = {};  ///< without data: zero
  const NormParameters& parameters;
  SavedNorm saved = {};  ///< written, for the backward
  Matrix y = {};
};

/// y = layer_norm(z), z = dropout(x) + residual.
void residual_norm(Context& context, const ResidualNorm& args);

/// Where the gradients of a layer norm's parameters, and of the bias before it, go (+=, [cols];
/// empty: not wanted). That of the bias is made of d_x, which must have data then.
struct NormGradients {
  std::span<float> gamma;
  std::span<float> beta;
  std::span<float> bias;
};

/// The operands of `residual_norm_backward`; matrices are [rows, cols].
struct ResidualNormBackward {
  ConstMatrix d_y;  ///< f32
  SavedNorm saved = {};
  Dropout dropout = {};
  std::span<const float> gamma = {};
  Matrix d_z = {};  ///< f32; may be d_y
  Matrix d_x = {};  ///< compute; without data: not wanted
  NormGradients gradients = {};
};

/// From d_y to d_z and d_x = dropout'(d_z). With g = d_y∘gamma and n the normalized values,
/// d_z = inverse·(g - mean(g) - n·mean(g∘n)).
void residual_norm_backward(Context& context, const ResidualNormBackward& args);

}  // namespace cloze::ops
