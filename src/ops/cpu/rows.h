/// \file
/// Row-wise pieces that operations share.
#pragma once

#include <cstdint>

#include "ops/matrix.h"

namespace cloze::ops {

/// y[row] += x, x f32 [y.cols], the sum rounded once to y's dtype (f32 or bf16).
void add_row(const float* x, const Matrix& y, std::int64_t row);

/// y[row] = gelu(x) to 1.4e-6 and rounded to bf16, which y is; x f32 [y.cols].
void gelu_row(const float* x, const Matrix& y, std::int64_t row);

}  // namespace cloze::ops
