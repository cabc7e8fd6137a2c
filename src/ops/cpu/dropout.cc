// Dropout alone; norm.cc and attention.cc have it among other things.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/dropout.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/dropout.h"

#include "hwy/highway.h"
#include "ops/cpu/row_work.h"
#include "ops/cpu/simd/dropout-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

void DropoutFactors(const Dropout& dropout, std::int64_t row, std::size_t cols, float* factors) {
  DropoutRow(dropout, row, cols, factors);
}

void ApplyDropoutRow(const ConstMatrix& x, const Dropout& dropout, const Matrix& y,
                     std::int64_t row, RowScratch& scratch) {
  const auto cols = static_cast<std::size_t>(x.cols);
  LoadRow(x.dtype, x.row(row), cols, scratch.at(0));
  if (Drops(dropout)) {
    DropoutRow(dropout, row, cols, scratch.at(1));
    MultiplyRow(scratch.at(0), scratch.at(1), padded(cols));
  }
  StoreRow(scratch.at(0), cols, y.dtype, y.row(row));
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include "ops/cpu/cpu_device.h"

namespace cloze::ops {
HWY_EXPORT(DropoutFactors);
HWY_EXPORT(ApplyDropoutRow);

void dropout_factors(const Dropout& dropout, std::int64_t row, std::span<float> factors) {
  constexpr std::size_t kColumns = 128;  // that are made together
  std::vector<float> wide((factors.size() / kColumns + 1) * kColumns);
  HWY_DYNAMIC_DISPATCH(DropoutFactors)(dropout, row, factors.size(), wide.data());
  std::copy_n(wide.begin(), factors.size(), factors.begin());
}

void CpuDevice::apply_dropout(Context& context, ConstMatrix x, const Dropout& dropout,
                              Matrix y) const {
  require_like(x, y, "the result");
  over_sum_blocks(context, OperationKey::Kind::copy, x.rows, row_bytes({x, y}),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t) {
                    auto scratch = row_scratch(context, x.cols, 2);
                    for (std::int64_t row = begin; row < begin + count; ++row) {
                      HWY_DYNAMIC_DISPATCH(ApplyDropoutRow)(x, dropout, y, row, scratch);
                    }
                  });
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
