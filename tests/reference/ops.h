/// \file
/// The operations of the model, plain and obviously right: loops over doubles, one formula each.
/// Every fast version is held against these on random shapes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

namespace cloze::reference {

/// Row-major [rows, cols].
struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t col_count)
      : rows(row_count), cols(col_count), values(row_count * col_count) {}
  [[nodiscard]] double operator()(std::size_t row, std::size_t col) const {
    return values[row * cols + col];
  }
  [[nodiscard]] double& operator()(std::size_t row, std::size_t col) {
    return values[row * cols + col];
  }
};

inline double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); }
inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
inline double relu(double x) { return std::max(x, 0.0); }
inline double silu(double x) { return x / (1 + std::exp(-x)); }

/// x [rows, in] · weightᵀ [in, out] + bias [out].
inline Matrix linear(const Matrix& x, const Matrix& weight, std::span<const double> bias) {
  Matrix y(x.rows, weight.rows);
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t o = 0; o < weight.rows; ++o) {
      double sum = bias[o];
      for (std::size_t i = 0; i < x.cols; ++i) sum += x(r, i) * weight(o, i);
      y(r, o) = sum;
    }
  }
  return y;
}

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta for each row.
inline Matrix layer_norm(const Matrix& x, std::span<const double> gamma,
                         std::span<const double> beta, double epsilon) {
  Matrix y(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    double mean = 0;
    for (std::size_t c = 0; c < x.cols; ++c) mean += x(r, c);
    mean /= static_cast<double>(x.cols);
    double variance = 0;
    for (std::size_t c = 0; c < x.cols; ++c) variance += (x(r, c) - mean) * (x(r, c) - mean);
    variance /= static_cast<double>(x.cols);
    for (std::size_t c = 0; c < x.cols; ++c) {
      y(r, c) = (x(r, c) - mean) / std::sqrt(variance + epsilon) * gamma[c] + beta[c];
    }
  }
  return y;
}

struct Attention {
  Matrix y;                           ///< [tokens, heads · head_dim]
  std::vector<double> probabilities;  ///< sequence after sequence, [heads, length, length] each
};

/// softmax(q·kᵀ / sqrt(head_dim))·v in each sequence and head; qkv [tokens, 3 · heads · head_dim].
inline Attention attention(const Matrix& qkv, std::size_t heads, std::size_t head_dim,
                           std::span<const std::int32_t> cu_seqlens) {
  const std::size_t hidden = heads * head_dim;
  Attention out{.y = Matrix(qkv.rows, hidden), .probabilities = {}};
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
    const auto begin = static_cast<std::size_t>(cu_seqlens[s]);
    const auto end = static_cast<std::size_t>(cu_seqlens[s + 1]);
    for (std::size_t h = 0; h < heads; ++h) {
      for (std::size_t query = begin; query < end; ++query) {
        std::vector<double> p;
        for (std::size_t key = begin; key < end; ++key) {
          double score = 0;
          for (std::size_t d = 0; d < head_dim; ++d) {
            score += qkv(query, h * head_dim + d) * qkv(key, hidden + h * head_dim + d);
          }
          p.push_back(score / std::sqrt(static_cast<double>(head_dim)));
        }
        const double largest = *std::max_element(p.begin(), p.end());
        double sum = 0;
        for (auto& value : p) sum += value = std::exp(value - largest);
        for (auto& value : p) value /= sum;
        for (std::size_t d = 0; d < head_dim; ++d) {
          double mixed = 0;
          for (std::size_t key = begin; key < end; ++key) {
            mixed += p[key - begin] * qkv(key, 2 * hidden + h * head_dim + d);
          }
          out.y(query, h * head_dim + d) = mixed;
        }
        out.probabilities.insert(out.probabilities.end(), p.begin(), p.end());
      }
    }
  }
  return out;
}

}  // namespace cloze::reference
