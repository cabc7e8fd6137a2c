// Softmax and cross entropy of whole rows of logits, with its gradient written over them.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/vocabulary_loss.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "ops/cpu/simd/row_tasks.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// Values of a piece of a row, whose sum f32 holds well; pieces are added up in double.
constexpr std::size_t kPiece = 1024;

RowLoss CrossEntropyRow(const CrossEntropyTask& task) {
  const auto& [logits, cols, label, scale, dtype, gradient, scratch] = task;
  const F32 d;
  const std::size_t lanes = hn::Lanes(d), whole = cols / lanes * lanes;
  auto greatest = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < whole; i += lanes) {
    greatest = hn::Max(greatest, hn::LoadU(d, logits + i));
  }
  float most = hn::GetLane(hn::MaxOfLanes(d, greatest));
  for (std::size_t i = whole; i < cols; ++i) most = std::max(most, logits[i]);

  const float chosen = logits[label];
  const auto shift = hn::Set(d, most);
  double total = 0;
  for (std::size_t begin = 0; begin < cols; begin += kPiece) {
    const std::size_t count = std::min(kPiece, cols - begin);
    float* part = scratch + begin;
    LoadRow(logits + begin, count, part);
    auto sums = hn::Zero(d);
    for (std::size_t i = 0; i < count; i += lanes) {
      const auto inside = hn::FirstN(d, std::min(count - i, lanes));
      const auto value = hn::Exp(d, hn::Sub(hn::LoadU(d, part + i), shift));
      hn::StoreU(value, d, part + i);
      sums = hn::Add(sums, hn::IfThenElseZero(inside, value));
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sums)));
  }
  RowLoss result;
  result.loss = std::log(total) + static_cast<double>(most) - static_cast<double>(chosen);
  result.correct = chosen >= most;
  if (gradient == nullptr) return result;

  const auto factor = hn::Set(d, static_cast<float>(static_cast<double>(scale) / total));
  for (std::size_t begin = 0; begin < cols; begin += kPiece) {
    const std::size_t count = std::min(kPiece, cols - begin);
    float* part = scratch + begin;
    for (std::size_t i = 0; i < count; i += lanes) {
      hn::StoreU(hn::Mul(hn::LoadU(d, part + i), factor), d, part + i);
    }
    const auto at = static_cast<std::size_t>(label);
    if (at >= begin && at < begin + count) part[at - begin] -= scale;
    StoreRow(part, count, dtype, gradient + begin * size_of(dtype));
  }
  return result;
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/row_work.h"
#include "ops/loss.h"

namespace cloze::ops {
HWY_EXPORT(CrossEntropyRow);

Pending<LossSum> CpuDevice::cross_entropy(Context& context, ConstMatrix logits,
                                          std::span<const std::int32_t> labels,
                                          const LossGradient& gradient) const {
  const Matrix d_logits = gradient.d_logits;
  const bool wanted = d_logits.data != nullptr;
  if (logits.dtype != DType::f32 || static_cast<std::int64_t>(labels.size()) != logits.rows ||
      (wanted && (d_logits.rows != logits.rows || d_logits.cols != logits.cols))) {
    throw ArgumentError(fmt::format("cross entropy of logits [{}, {}] in {} with {} labels",
                                    logits.rows, logits.cols, name_of(logits.dtype),
                                    labels.size()));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= logits.cols) {
      throw ArgumentError(
          fmt::format("label {} of row {} is outside the {} classes", labels[i], i, logits.cols));
    }
  }
  std::vector<RowLoss> rows(labels.size());
  parallel_tasks(context, logits.rows, [&](std::int64_t row) {
    const Timed time(context, {.kind = OperationKey::Kind::loss}, 0,
                     10 * static_cast<double>(logits.cols));
    auto& scratch = worker_of(context).scratch;
    scratch.reset();
    const auto at = static_cast<std::size_t>(row);
    rows[at] = HWY_DYNAMIC_DISPATCH(CrossEntropyRow)(
        {.logits = reinterpret_cast<const float*>(logits.row(row)),
         .cols = static_cast<std::size_t>(logits.cols),
         .label = labels[at],
         .scale = static_cast<float>(gradient.scale),
         .dtype = d_logits.dtype,
         .gradient = wanted ? d_logits.row(row) : nullptr,
         .scratch = scratch.take<float>(logits.cols + kRowPad).data()});
  });
  LossSum sum{.weight = static_cast<double>(logits.rows), .labelled = logits.rows};
  for (const auto& row : rows) {
    sum.sum += row.loss;
    sum.correct += row.correct ? 1 : 0;
  }
  return sum;
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
