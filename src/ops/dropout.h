/// \file
/// Dropout whose masks are made again rather than stored.
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// Dropout (Srivastava et al., JMLR 2014), inverted: an element is zero with `probability`, else
/// divided by what is left. Whether element (row, column) is kept follows from seed, stream, row
/// and column alone (Philox; the probability is rounded to a multiple of 2^-16), so that the
/// backward pass finds the forward's mask again without storing it.
struct Dropout {
  float probability = 0;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

/// What an element of a row is multiplied by: 0, or 1 / (1 - probability). For tests and
/// references.
void dropout_factors(const Dropout& dropout, std::int64_t row, std::span<float> factors);

/// y = dropout(x), which may be the same memory; f32 or bf16. It is its own backward.
void apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout, Matrix y);

}  // namespace cloze::ops
