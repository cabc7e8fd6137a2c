#include "ops/cpu/row_sums.h"

#include <algorithm>

namespace cloze::ops {

PartialSums partial_sums(Context& context, std::int64_t rows, std::int64_t cols,
                         std::int64_t kinds) {
  PartialSums partial;
  partial.blocks = (rows + kSumRows - 1) / kSumRows;
  partial.kinds = kinds;
  constexpr std::int64_t unit = 64;
  partial.stride = (cols + unit - 1) / unit * unit;
  auto& arena = context.device().sums;
  arena.reset();
  partial.values = arena.take<float>(partial.blocks * kinds * partial.stride);
  std::fill(partial.values.begin(), partial.values.end(), 0.0F);
  return partial;
}

void over_sum_blocks(Context& context, OperationKey::Kind kind, std::int64_t rows, double bytes,
                     FunctionRef<void(std::int64_t, std::int64_t, std::int64_t)> body) {
  parallel_tasks(context, (rows + kSumRows - 1) / kSumRows, [&](std::int64_t block) {
    const std::int64_t begin = block * kSumRows, count = std::min(kSumRows, rows - begin);
    const Timed time(context, {.kind = kind}, 0, bytes * static_cast<double>(count));
    body(begin, count, block);
  });
}

void add_partial_sums(Context& context, const PartialSums& partial, std::int64_t kind,
                      std::span<float> sums) {
  constexpr std::int64_t kPiece = 256;  // columns of a task
  const auto cols = static_cast<std::int64_t>(sums.size());
  parallel_tasks(context, (cols + kPiece - 1) / kPiece, [&](std::int64_t piece) {
    const std::int64_t begin = piece * kPiece, count = std::min(kPiece, cols - begin);
    double totals[kPiece] = {};
    for (std::int64_t block = 0; block < partial.blocks; ++block) {
      const float* values = partial.of(block, kind) + begin;
      for (std::int64_t i = 0; i < count; ++i) totals[i] += static_cast<double>(values[i]);
    }
    float* to = sums.data() + begin;
    for (std::int64_t i = 0; i < count; ++i) to[i] += static_cast<float>(totals[i]);
  });
}

}  // namespace cloze::ops
