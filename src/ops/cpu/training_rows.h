/// \file
/// What the row-wise kernels of training are given, the same for every instruction set.
#pragma once

#include <cstdint>
#include <span>

#include "ops/training.h"

namespace cloze::ops {

/// f32 rows to work in, wider than any row of the task, and padded copies of a norm's parameters.
struct RowScratch {
  float* rows = nullptr;
  std::int64_t stride = 0;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  [[nodiscard]] float* at(int index) const { return rows + index * stride; }
};

/// Scratch of the calling worker, valid until the worker's next operation.
[[nodiscard]] RowScratch row_scratch(Context& context, std::int64_t cols, int rows,
                                     std::span<const float> gamma, std::span<const float> beta);

struct ResidualNormTask {
  ConstMatrix x, residual;
  Dropout dropout;
  float epsilon = 0;
  Matrix normalized;
  float* inverse = nullptr;
  Matrix y;
};

struct ResidualNormBackwardTask {
  ConstMatrix d_y, normalized;
  const float* inverse = nullptr;
  Dropout dropout;
  Matrix d_z, d_x;
  float *d_gamma = nullptr, *d_beta = nullptr, *d_bias = nullptr;  ///< sums of a block, padded
};

struct ActivateBackwardTask {
  ConstMatrix x, d_y;
  Epilogue activation = Epilogue::none;
  Matrix d_x, y;
  float* d_bias = nullptr;
};

}  // namespace cloze::ops
