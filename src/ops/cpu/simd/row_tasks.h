/// \file
/// What row-wise kernels are given beside their operands, the same for every
/// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/matrix.h"

namespace cloze::ops {

/// Some rows, and where their part of the parameters' gradients is added up: a block's sums, padded
/// to whole vectors.
struct NormBlock {
  std::int64_t begin = 0, count = 0;
  float* d_gamma = nullptr;
  float* d_beta = nullptr;
  float* d_bias = nullptr;  ///< or none
};

/// Some rows of an activation's backward, and where the bias's gradient is added up, or none.
struct ActivationBlock {
  std::int64_t begin = 0, count = 0;
  float* d_bias = nullptr;
};

/// A row of embeddings to make, and two rows of scratch, y.cols + kRowPad values each.
struct EmbeddedRow {
  Matrix y;
  std::int64_t row = 0;
  float* scratch = nullptr;
};

/// A row of logits, and where scale times its cross entropy's gradient goes.
struct CrossEntropyTask {
  const float* logits = nullptr;
  std::size_t cols = 0;
  std::int32_t label = 0;
  float scale = 0;
  DType dtype = DType::f32;       ///< of the gradient, f32 or bf16
  std::byte* gradient = nullptr;  ///< or none
  float* scratch = nullptr;       ///< cols + kRowPad values
};

/// What a row of cross entropy gives.
struct RowLoss {
  double loss = 0;
  bool correct = false;
};

}  // namespace cloze::ops
