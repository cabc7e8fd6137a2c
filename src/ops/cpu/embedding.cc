// The sums of embedding rows, with and without their layer norm, and their backward.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/embedding.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/embedding.h"

#include <cmath>

#include "hwy/highway.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/simd/row_tasks.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void EmbedRow(const EmbeddingTables& tables, const EmbeddingIndices& indices,
              const NormParameters& norm, const EmbeddedRow& to) {
  const F32 d;
  const auto& y = to.y;
  float* scratch = to.scratch;
  const auto at = static_cast<std::size_t>(to.row);
  float* part = scratch + y.cols + kRowPad;
  const auto cols = static_cast<std::size_t>(y.cols);
  LoadRow(tables.word.dtype, tables.word.row(indices.input_ids[at]), cols, scratch);
  const auto add = [&](const ConstMatrix& table, std::int32_t index) {
    LoadRow(table.dtype, table.row(index), cols, part);
    for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, scratch + i), hn::LoadU(d, part + i)), d, scratch + i);
    }
  };
  add(tables.token_type, indices.token_type_ids[at]);
  add(tables.position, indices.position_ids[at]);
  NormalizeRow(scratch, cols, norm.gamma.data(), norm.beta.data(), norm.epsilon);
  StoreRow(scratch, cols, y.dtype, y.row(to.row));
}

void SumThree(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, const float* HWY_RESTRICT c,
              std::size_t count, float* HWY_RESTRICT to) {
  const F32 d;
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
#include "cloze/error.h"
#include "ops/cpu/cpu_device.h"
#include "ops/rows.h"

namespace cloze::ops {
HWY_EXPORT(EmbedRow);
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

void CpuDevice::embed(Context& context, const EmbeddingTables& tables,
                      const EmbeddingIndices& indices, const NormParameters& norm, Matrix y) const {
  require_norm(norm, y.cols);
  over_rows(context, Kind::embed, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, y.cols, 2);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      HWY_DYNAMIC_DISPATCH(EmbedRow)(tables, indices, norm, {y, row, scratch});
    }
  });
}

void CpuDevice::embedding_sum(Context& context, const EmbeddingTables& tables,
                              const EmbeddingIndices& indices, Matrix z) const {
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

void CpuDevice::embedding_sum_backward(Context& context, ConstMatrix d_z,
                                       const EmbeddingIndices& indices,
                                       const EmbeddingGradients& gradients) const {
  scatter_add_rows(context, d_z, indices.input_ids, gradients.word, gradients.padding);
  scatter_add_rows(context, d_z, indices.position_ids, gradients.position, -1);
  scatter_add_rows(context, d_z, indices.token_type_ids, gradients.token_type, -1);
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
