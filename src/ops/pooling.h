/// \file
/// The mean of each sequence's rows, forward and backward.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// y [sequences, cols] = the mean of each sequence's rows of x [tokens, cols], both f32, summed in
/// double; zero for a sequence without rows. cu_seqlens [sequences + 1].
void mean_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> cu_seqlens, Matrix y);

/// d_x [tokens, cols] = each sequence's row of d_y, divided by the sequence's length; both f32.
void mean_rows_backward(Context& context, ConstMatrix d_y, std::span<const std::int32_t> cu_seqlens,
                        Matrix d_x);

}  // namespace cloze::ops
