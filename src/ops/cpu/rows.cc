// Rows moved between matrices: converted, gathered, scattered, summed up.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/rows.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/rows.h"

#include "hwy/highway.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void CopyRow(const ConstMatrix& x, std::int64_t from, const Matrix& y, std::int64_t to,
             float* scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  LoadRow(x.dtype, x.row(from), cols, scratch);
  StoreRow(scratch, cols, y.dtype, y.row(to));
}

void AddRow(const float* x, const Matrix& y, std::int64_t row) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const auto cols = static_cast<std::size_t>(y.cols);
  std::size_t i = 0;
  if (y.dtype == DType::bf16) {
    auto* values = reinterpret_cast<BFloat16*>(y.row(row));
    StoreRounded(cols, values, [&](auto tag, std::size_t at) {
      return hn::Add(hn::LoadU(tag, x + at), FromBFloat16(tag, values + at));
    });
    return;
  }
  auto* values = reinterpret_cast<float*>(y.row(row));
  for (; i + lanes <= cols; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, values + i)), d, values + i);
  }
  for (; i < cols; ++i) values[i] += x[i];
}

void AddValues(const float* HWY_RESTRICT from, std::size_t count, float* HWY_RESTRICT to) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
  for (; i < count; ++i) to[i] += from[i];
}

void SumColumns(const ConstMatrix& x, std::int64_t begin, std::int64_t count, float* sums,
                RowScratch& scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  for (std::int64_t row = begin; row < begin + count; ++row) {
    LoadRow(x.dtype, x.row(row), cols, scratch.at(0));
    AddTo(scratch.at(0), padded(cols), sums);
  }
}

void RoundValues(const float* from, std::size_t count, BFloat16* to) {
  StoreRounded(from, count, to);
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/rows.h"

namespace cloze::ops {
HWY_EXPORT(CopyRow);
HWY_EXPORT(AddRow);
HWY_EXPORT(AddValues);
HWY_EXPORT(SumColumns);
HWY_EXPORT(RoundValues);

namespace {

using Kind = OperationKey::Kind;

}  // namespace

void add_row(const float* x, const Matrix& y, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(AddRow)(x, y, row);
}

void CpuDevice::gather_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> indices,
                            Matrix y) const {
  over_rows(context, Kind::copy, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, x.cols, 1);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      HWY_DYNAMIC_DISPATCH(CopyRow)(x, indices[static_cast<std::size_t>(row)], y, row, scratch);
    }
  });
}

void CpuDevice::convert(Context& context, ConstMatrix x, Matrix y) const {
  over_rows(context, Kind::copy, y, [&](std::int64_t begin, std::int64_t count) {
    float* scratch = scratch_rows(context, x.cols, 1);
    for (std::int64_t row = begin; row < begin + count; ++row) {
      HWY_DYNAMIC_DISPATCH(CopyRow)(x, row, y, row, scratch);
    }
  });
}

void CpuDevice::round(std::span<const float> from, std::span<BFloat16> to) const {
  constexpr std::int64_t kPiece = std::int64_t{1} << 16;
  const auto count = static_cast<std::int64_t>(from.size());
  if (to.size() != from.size()) throw ArgumentError("arrays of different lengths");
  parallel_for((count + kPiece - 1) / kPiece, 1, [&](std::int64_t piece) {
    const std::int64_t begin = piece * kPiece;
    HWY_DYNAMIC_DISPATCH(RoundValues)
    (from.data() + begin, static_cast<std::size_t>(std::min(kPiece, count - begin)),
     to.data() + begin);
  });
}

// Every thread has a stripe of columns and passes over all rows, so that rows which occur more than
// once are added up in order.
void CpuDevice::scatter_add_rows(Context& context, ConstMatrix from,
                                 std::span<const std::int32_t> indices, Matrix to,
                                 std::int64_t skipped) const {
  if (from.dtype != DType::f32 || to.dtype != DType::f32) {
    throw ArgumentError("rows are scattered in f32");
  }
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
      (reinterpret_cast<const float*>(from.row(row)) + begin, static_cast<std::size_t>(count),
       target);
    }
  });
}

void CpuDevice::add_column_sums(Context& context, ConstMatrix x, std::span<float> sums) const {
  require_columns(x, sums.size(), "the bias");
  const auto partial = partial_sums(context, x.rows, x.cols, 1);
  over_sum_blocks(context, Kind::copy, x.rows, row_bytes({x}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    auto scratch = row_scratch(context, x.cols, 1);
                    HWY_DYNAMIC_DISPATCH(SumColumns)
                    (x, begin, count, partial.of(block, 0), scratch);
                  });
  add_partial_sums(context, partial, 0, sums);
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
