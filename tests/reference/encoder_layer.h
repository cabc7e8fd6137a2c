/// \file
/// One layer of BERT's encoder, plain and obviously right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "reference/ops.h"

namespace cloze::reference {

struct Linear {
  Matrix weight;  ///< [out, in]
  std::vector<double> bias;
};

struct LayerNorm {
  std::vector<double> gamma, beta;
  double epsilon = 1e-12;
};

/// The parameters under the names of the checkpoint.
struct EncoderLayer {
  Linear query, key, value, attention_output;
  LayerNorm attention_norm;
  Linear intermediate, output;
  LayerNorm output_norm;
  std::function<double(double)> activation = gelu;
  std::size_t heads = 1;
};

inline Matrix linear(const Matrix& x, const Linear& layer) {
  return linear(x, layer.weight, layer.bias);
}

inline Matrix add_and_norm(const Matrix& x, Matrix y, const LayerNorm& norm) {
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] += x.values[i];
  return layer_norm(y, norm.gamma, norm.beta, norm.epsilon);
}

/// The layer's hidden states [tokens, hidden]; `probabilities`, if given, receives the attention's.
inline Matrix forward(const EncoderLayer& layer, const Matrix& x,
                      std::span<const std::int32_t> cu_seqlens,
                      std::vector<double>* probabilities = nullptr) {
  const auto q = linear(x, layer.query);
  const auto k = linear(x, layer.key);
  const auto v = linear(x, layer.value);
  Matrix qkv(x.rows, 3 * x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t c = 0; c < x.cols; ++c) {
      qkv(r, c) = q(r, c);
      qkv(r, x.cols + c) = k(r, c);
      qkv(r, 2 * x.cols + c) = v(r, c);
    }
  }
  auto attended = attention(qkv, layer.heads, x.cols / layer.heads, cu_seqlens);
  if (probabilities != nullptr) *probabilities = std::move(attended.probabilities);
  const auto a = add_and_norm(x, linear(attended.y, layer.attention_output), layer.attention_norm);
  auto inner = linear(a, layer.intermediate);
  for (auto& value : inner.values) value = layer.activation(value);
  return add_and_norm(a, linear(inner, layer.output), layer.output_norm);
}

}  // namespace cloze::reference
