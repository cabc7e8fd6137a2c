/// \file
/// Rows moved between matrices: converted, gathered, and scattered back.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// y = x in y's dtype (f32, bf16), same shape.
void convert(Context& context, ConstMatrix x, Matrix y);

/// Flat arrays of equal length in the device's memory: to = from, rounded.
void round(const Device& device, std::span<const float> from, std::span<BFloat16> to);

/// y [indices, cols] = x[indices], converted to y's dtype. Every index inside x's rows.
void gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices, Matrix y);

/// The backward of gather_rows: to[indices[i]] += from[i], f32, but for the index `skipped`; an
/// index may occur more than once.
void scatter_add_rows(Context& context, ConstMatrix from, std::span<const std::int32_t> indices,
                      Matrix to, std::int64_t skipped = -1);

/// sums [cols] += the column sums of x, the backward of a bias.
void add_column_sums(Context& context, ConstMatrix x, std::span<float> sums);

}  // namespace cloze::ops
