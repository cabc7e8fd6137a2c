/// \file
/// Sums over rows in an order that does not depend on the threads: every block of rows has a
/// partial sum of its own, and these are added up one after another.
#pragma once

#include <cstdint>
#include <span>

#include "ops/cpu/device.h"

namespace cloze::ops {

constexpr std::int64_t kSumRows = 32;  ///< rows of a block

/// `kinds` partial sums of `cols` columns for each block of rows.
struct PartialSums {
  std::span<float> values;
  std::int64_t blocks = 0, kinds = 0, stride = 0;
  [[nodiscard]] float* of(std::int64_t block, std::int64_t kind) const {
    return values.data() + (block * kinds + kind) * stride;
  }
};

/// Zeroed sums, valid until the next call: one operation at a time has them.
[[nodiscard]] PartialSums partial_sums(Context& context, std::int64_t rows, std::int64_t cols,
                                       std::int64_t kinds);

/// Calls `body(begin, count, block)` for each block of rows, over the threads.
void over_sum_blocks(Context& context, OperationKey::Kind kind, std::int64_t rows, double bytes,
                     FunctionRef<void(std::int64_t, std::int64_t, std::int64_t)> body);

/// sums += the partial sums of `kind`, added up in double; nothing for empty `sums`.
void add_partial_sums(Context& context, const PartialSums& partial, std::int64_t kind,
                      std::span<float> sums);

}  // namespace cloze::ops
