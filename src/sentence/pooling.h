/// \file
/// Pooling, as cloze/pooling.h names it: one vector for a text from the vectors of its tokens.
#pragma once

#include <cstdint>
#include <span>

#include "cloze/batch.h"
#include "cloze/pooling.h"  // IWYU pragma: export
#include "cloze/tensor.h"

namespace cloze {

/// Pools `hidden` [total_tokens, columns] of a packed batch: [sequences, columns]. Sums are taken
/// in double. The first `skipped` tokens of each sequence, which has more than those, are left out;
/// the weights of the weighted mean count them all the same. Throws ArgumentError for `none` and
/// `pooler`, which are not made of this.
[[nodiscard]] Tensor pool(const Tensor& hidden, const Batch& batch, Pooling pooling,
                          std::int64_t skipped = 0);

/// The vectors of several poolings side by side: [sequences, poolings · columns].
[[nodiscard]] Tensor pool(const Tensor& hidden, const Batch& batch,
                          std::span<const Pooling> poolings, std::int64_t skipped = 0);

/// Divides each row of [rows, columns] by its Euclidean length, at least 1e-12 as torch's
/// `normalize` has it.
void normalize_rows(Tensor& rows);

}  // namespace cloze
