/// \file
/// The rows of f32 matrices as spans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/matrix.h"

namespace cloze::internal {

/// Row `row` of `matrix` [rows, cols], which must be f32: [cols].
[[nodiscard]] inline std::span<const float> row_of(ops::ConstMatrix matrix, std::int64_t row) {
  return {reinterpret_cast<const float*>(matrix.row(row)), static_cast<std::size_t>(matrix.cols)};
}
[[nodiscard]] inline std::span<float> row_of(ops::Matrix matrix, std::int64_t row) {
  return {reinterpret_cast<float*>(matrix.row(row)), static_cast<std::size_t>(matrix.cols)};
}

}  // namespace cloze::internal
