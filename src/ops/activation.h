/// \file
/// The non-linearities, alone and as epilogues of linear layers.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// What a linear layer does to its product before storing it. All but `add` are activations too.
enum class Epilogue : std::uint8_t {
  none,       ///< y = x·Wᵀ + b
  add,        ///< y += x·Wᵀ + b (the residual connection)
  gelu,       ///< y = gelu(x·Wᵀ + b), erf
  gelu_tanh,  ///< the tanh approximation
  relu,
  silu,
  tanh,
};

/// y = activation(x), y of x's dtype. gelu by erf to 1.4e-6.
void activate(Context& context, ConstMatrix x, Epilogue activation, Matrix y);

/// The operands of `activate_backward`; x, d_y, d_x and y are [rows, cols].
struct ActivationBackward {
  ConstMatrix x;
  Epilogue activation = Epilogue::none;
  ConstMatrix d_y = {};
  Matrix d_x = {};                      ///< may be d_y's memory
  Matrix y = {};                        ///< activation(x) again; without data: not wanted
  std::span<float> bias_gradient = {};  ///< [cols] += the column sums of d_x; empty: not wanted
};

/// d_x = d_y∘activation'(x).
void activate_backward(Context& context, const ActivationBackward& args);

}  // namespace cloze::ops
