/// \file
/// What the backward operations are held against: forwards in doubles, with dropout's factors
/// given, and gradients by central differences.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "reference/ops.h"

namespace cloze::reference {

/// The gradient of f with respect to every element of x; its error falls with the square of 1e-5.
inline Matrix gradient(const std::function<double(const Matrix&)>& f, Matrix x) {
  constexpr double step = 1e-5;
  Matrix result(x.rows, x.cols);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double kept = x.values[i];
    x.values[i] = kept + step;
    const double above = f(x);
    x.values[i] = kept - step;
    const double below = f(x);
    x.values[i] = kept;
    result.values[i] = (above - below) / (2 * step);
  }
  return result;
}

/// The sum of a∘b: a scalar whose gradient with respect to a is b.
inline double inner(const Matrix& a, const Matrix& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

inline Matrix times(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] *= b.values[i];
  return a;
}

inline Matrix plus(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

inline Matrix transposed(const Matrix& a) {
  Matrix result(a.cols, a.rows);
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t c = 0; c < a.cols; ++c) result(c, r) = a(r, c);
  }
  return result;
}

inline Matrix product(const Matrix& a, const Matrix& b) {
  const std::vector<double> zeros(b.cols);
  return linear(a, transposed(b), zeros);
}

/// Attention whose probabilities are multiplied by `factors` [heads · tokens, longest sequence]
/// before they meet the values: row head · tokens + token.
inline Matrix dropped_attention(const Matrix& qkv, std::size_t heads, std::size_t head_dim,
                                std::span<const std::int32_t> cu_seqlens, const Matrix& factors) {
  const auto plain = attention(qkv, heads, head_dim, cu_seqlens);
  Matrix y(qkv.rows, heads * head_dim);
  std::size_t at = 0;
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const auto begin = static_cast<std::size_t>(cu_seqlens[s]);
    const auto length = static_cast<std::size_t>(cu_seqlens[s + 1]) - begin;
    for (std::size_t h = 0; h < heads; ++h) {
      for (std::size_t query = 0; query < length; ++query) {
        for (std::size_t key = 0; key < length; ++key, ++at) {
          const double p = plain.probabilities[at] * factors(h * qkv.rows + begin + query, key);
          for (std::size_t d = 0; d < head_dim; ++d) {
            y(begin + query, h * head_dim + d) +=
                p * qkv(begin + key, 2 * heads * head_dim + h * head_dim + d);
          }
        }
      }
    }
  }
  return y;
}

}  // namespace cloze::reference
