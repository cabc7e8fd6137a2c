// The sums of embedding rows and their backward. The backward gives every thread a stripe of
// columns and lets it pass over all tokens, so that rows which occur more than once are added up in
// order.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/embedding_training.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "hwy/highway.h"
#include "ops/training.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void AddValues(const float* HWY_RESTRICT from, std::size_t count, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
  for (; i < count; ++i) to[i] += from[i];
}

void SumThree(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, const float* HWY_RESTRICT c,
              std::size_t count, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto sum = hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i));
    hn::StoreU(hn::Add(sum, hn::LoadU(d, c + i)), d, to + i);
  }
  for (; i < count; ++i) to[i] = a[i] + b[i] + c[i];
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/row_sums.h"

namespace cloze::ops {
HWY_EXPORT(AddValues);
HWY_EXPORT(SumThree);

namespace {

using Kind = OperationKey::Kind;

const float* floats(const ConstMatrix& matrix, std::int64_t row) {
  return reinterpret_cast<const float*>(matrix.row(row));
}

void require_f32(const ConstMatrix& matrix) {
  if (matrix.dtype != DType::f32) throw ArgumentError("embeddings in training are f32");
}

}  // namespace

void embedding_sum(Context& context, const EmbeddingTables& tables, const EmbeddingIndices& indices,
                   Matrix z) {
  for (const auto& matrix : {tables.word, tables.position, tables.token_type, ConstMatrix(z)}) {
    require_f32(matrix);
  }
  const auto cols = static_cast<std::size_t>(z.cols);
  over_sum_blocks(context, Kind::embed, z.rows, 16 * static_cast<double>(z.cols),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      const auto at = static_cast<std::size_t>(row);
                      HWY_DYNAMIC_DISPATCH(SumThree)
                      (floats(tables.word, indices.input_ids[at]),
                       floats(tables.token_type, indices.token_type_ids[at]),
                       floats(tables.position, indices.position_ids[at]), cols,
                       reinterpret_cast<float*>(z.row(row)));
                    }
                  });
}

void scatter_add_rows(Context& context, ConstMatrix from, std::span<const std::int32_t> indices,
                      Matrix to, std::int64_t skipped) {
  require_f32(from);
  require_f32(to);
  if (from.cols != to.cols || static_cast<std::int64_t>(indices.size()) != from.rows) {
    throw ArgumentError("rows to scatter do not fit their table");
  }
  constexpr std::int64_t kGranule = 16;
  const std::int64_t wanted = from.cols / num_threads();
  const std::int64_t stripe = std::max(kGranule, (wanted + kGranule - 1) / kGranule * kGranule);
  parallel_tasks(context, (from.cols + stripe - 1) / stripe, [&](std::int64_t index) {
    const std::int64_t begin = index * stripe, count = std::min(stripe, from.cols - begin);
    const Timed time(context, {.kind = Kind::embed}, 0,
                     12 * static_cast<double>(from.rows * count));
    for (std::int64_t row = 0; row < from.rows; ++row) {
      const std::int64_t at = indices[static_cast<std::size_t>(row)];
      if (at == skipped) continue;
      auto* target = reinterpret_cast<float*>(to.row(at)) + begin;
      HWY_DYNAMIC_DISPATCH(AddValues)
      (floats(from, row) + begin, static_cast<std::size_t>(count), target);
    }
  });
}

void embedding_sum_backward(Context& context, ConstMatrix d_z, const EmbeddingIndices& indices,
                            const EmbeddingGradients& gradients) {
  scatter_add_rows(context, d_z, indices.input_ids, gradients.word, gradients.padding);
  scatter_add_rows(context, d_z, indices.position_ids, gradients.position);
  scatter_add_rows(context, d_z, indices.token_type_ids, gradients.token_type);
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
