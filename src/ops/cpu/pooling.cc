// Means of sequences: few rows, summed in double.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/row_work.h"

namespace cloze::ops {
namespace {

void require_pooling(const ConstMatrix& tokens, std::span<const std::int32_t> cu_seqlens,
                     const ConstMatrix& sequences) {
  const bool fits = tokens.dtype == DType::f32 && sequences.dtype == DType::f32 &&
                    !cu_seqlens.empty() && cu_seqlens.back() == tokens.rows &&
                    static_cast<std::int64_t>(cu_seqlens.size()) == sequences.rows + 1 &&
                    tokens.cols == sequences.cols;
  if (fits) return;
  throw ArgumentError(fmt::format("means of {} sequences [{}, {}] over rows of [{}, {}]",
                                  std::max<std::size_t>(cu_seqlens.size(), 1) - 1, sequences.rows,
                                  sequences.cols, tokens.rows, tokens.cols));
}

}  // namespace

void CpuDevice::mean_rows(Context& context, ConstMatrix x, std::span<const std::int32_t> cu_seqlens,
                          Matrix y) const {
  require_pooling(x, cu_seqlens, y);
  const auto cols = static_cast<std::size_t>(x.cols);
  parallel_tasks(context, y.rows, [&](std::int64_t sequence) {
    const auto at = static_cast<std::size_t>(sequence);
    std::vector<double> sum(cols);
    for (auto row = cu_seqlens[at]; row < cu_seqlens[at + 1]; ++row) {
      const auto* values = reinterpret_cast<const float*>(x.row(row));
      for (std::size_t i = 0; i < cols; ++i) sum[i] += values[i];
    }
    auto* mean = reinterpret_cast<float*>(y.row(sequence));
    const auto length = static_cast<double>(std::max(1, cu_seqlens[at + 1] - cu_seqlens[at]));
    for (std::size_t i = 0; i < cols; ++i) mean[i] = static_cast<float>(sum[i] / length);
  });
}

void CpuDevice::mean_rows_backward(Context& context, ConstMatrix d_y,
                                   std::span<const std::int32_t> cu_seqlens, Matrix d_x) const {
  require_pooling(d_x, cu_seqlens, d_y);
  const auto cols = static_cast<std::size_t>(d_y.cols);
  parallel_tasks(context, d_y.rows, [&](std::int64_t sequence) {
    const auto at = static_cast<std::size_t>(sequence);
    const auto* from = reinterpret_cast<const float*>(d_y.row(sequence));
    const float share = 1 / static_cast<float>(cu_seqlens[at + 1] - cu_seqlens[at]);
    for (auto row = cu_seqlens[at]; row < cu_seqlens[at + 1]; ++row) {
      auto* to = reinterpret_cast<float*>(d_x.row(row));
      for (std::size_t i = 0; i < cols; ++i) to[i] = share * from[i];
    }
  });
}

}  // namespace cloze::ops
