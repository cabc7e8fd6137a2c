/// \file
/// Rows of tensors as vectors, and their products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cloze/tensor.h"

namespace cloze {

/// Row `row` of `matrix` [rows, columns] of f32. Throws ArgumentError for another dtype.
[[nodiscard]] inline std::span<const float> row_of(const Tensor& matrix, std::int64_t row) {
  const auto columns = static_cast<std::size_t>(matrix.dim(1));
  return matrix.values<float>().subspan(static_cast<std::size_t>(row) * columns, columns);
}

/// The sum of a[i] · b[i]. The vectors have one size.
[[nodiscard]] inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace cloze
