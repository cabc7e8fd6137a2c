// Optimizers over flat arrays. They are bound by memory: every value, gradient and moment is read
// and written once.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/optimizer.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>
#include <cstddef>

#include "hwy/highway.h"
#include "ops/cpu/simd/optimizer_tasks.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// Stores new values at i, and rounded ones beside them where that is wanted.
template <class Round, class D>
HWY_INLINE void StoreValues(const Round& round, D d, hn::Vec<D> values, const PieceArrays& to,
                            std::size_t i) {
  hn::StoreU(values, d, to.value + i);
  if (to.rounded != nullptr) StoreNearest(round, d, values, to.rounded + i);
}

/// The new moments, stored, and m̂ / (sqrt(v̂) + ε) + decay·value.
template <class D>
HWY_INLINE hn::Vec<D> Update(D d, const AdamFactors& f, const PieceArrays& arrays, std::size_t i) {
  const auto g = hn::Mul(hn::LoadU(d, arrays.gradient + i), hn::Set(d, f.scale));
  const auto first = hn::MulAdd(hn::LoadU(d, arrays.exp_avg + i), hn::Set(d, f.beta1),
                                hn::Mul(g, hn::Set(d, f.rest1)));
  const auto second = hn::MulAdd(hn::LoadU(d, arrays.exp_avg_sq + i), hn::Set(d, f.beta2),
                                 hn::Mul(hn::Mul(g, g), hn::Set(d, f.rest2)));
  hn::StoreU(first, d, arrays.exp_avg + i);
  hn::StoreU(second, d, arrays.exp_avg_sq + i);
  const auto deviation =
      hn::MulAdd(hn::Sqrt(second), hn::Set(d, f.correct2), hn::Set(d, f.epsilon));
  const auto direction = hn::Div(hn::Mul(first, hn::Set(d, f.correct1)), deviation);
  return hn::MulAdd(hn::LoadU(d, arrays.value + i), hn::Set(d, f.decay), direction);
}

void AdamPiece(const AdamFactors& f, std::size_t count, const PieceArrays& arrays) {
  WithRounding([&](auto round) {
    OverVectors(count, [&](auto d, std::size_t i) {
      const auto update = Update(d, f, arrays, i);
      const auto old = hn::LoadU(d, arrays.value + i);
      StoreValues(round, d, hn::NegMulAdd(update, hn::Set(d, f.learning_rate), old), arrays, i);
      hn::StoreU(hn::Zero(d), d, arrays.gradient + i);
    });
  });
}

/// What AdamPiece does where gradients and moments are zero, and no rounded values wanted.
void DecayPiece(const AdamFactors& f, std::size_t count, float* value) {
  OverVectors(count, [&](auto d, std::size_t i) {
    const auto old = hn::LoadU(d, value + i);
    const auto update = hn::Mul(old, hn::Set(d, f.decay));
    hn::StoreU(hn::NegMulAdd(update, hn::Set(d, f.learning_rate), old), d, value + i);
  });
}

/// The update in the gradient's place; the squares of values and updates summed up.
PieceNorms LambPiece(const AdamFactors& f, std::size_t count, const PieceArrays& arrays) {
  PieceNorms norms;
  OverVectors(count, [&](auto d, std::size_t i) {
    const auto update = Update(d, f, arrays, i);
    const auto old = hn::LoadU(d, arrays.value + i);
    hn::StoreU(update, d, arrays.gradient + i);
    norms.value += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Mul(old, old))));
    norms.update += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Mul(update, update))));
  });
  return norms;
}

void ApplyPiece(float rate, std::size_t count, const PieceArrays& arrays) {
  WithRounding([&](auto round) {
    OverVectors(count, [&](auto d, std::size_t i) {
      const auto update = hn::LoadU(d, arrays.gradient + i);
      const auto old = hn::LoadU(d, arrays.value + i);
      StoreValues(round, d, hn::NegMulAdd(update, hn::Set(d, rate), old), arrays, i);
      hn::StoreU(hn::Zero(d), d, arrays.gradient + i);
    });
  });
}

/// In f32 by stretches short enough to lose nothing, in double beyond.
double SquaresPiece(const float* values, std::size_t count) {
  constexpr std::size_t kStretch = 512;
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  double total = 0;
  std::size_t i = 0;
  while (i + lanes <= count) {
    auto sums = hn::Zero(d);
    for (std::size_t n = 0; n < kStretch / 16 && i + lanes <= count; ++n, i += lanes) {
      const auto x = hn::LoadU(d, values + i);
      sums = hn::MulAdd(x, x, sums);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sums)));
  }
  for (; i < count; ++i) total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return total;
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/cpu/cpu_device.h"
#include "ops/optimizer.h"

namespace cloze::ops {
HWY_EXPORT(AdamPiece);
HWY_EXPORT(DecayPiece);
HWY_EXPORT(LambPiece);
HWY_EXPORT(ApplyPiece);
HWY_EXPORT(SquaresPiece);

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 16;
constexpr std::int64_t kRows = 16;  // of an array, that are worth a task

struct Piece {
  std::size_t array, begin, count;
};

std::vector<Piece> pieces_of(std::span<const OptimizedArrays> arrays) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::size_t size = arrays[i].value.size();
    if (arrays[i].gradient.size() != size || arrays[i].exp_avg.size() != size ||
        arrays[i].exp_avg_sq.size() != size ||
        (!arrays[i].rounded.empty() && arrays[i].rounded.size() != size)) {
      throw ArgumentError("an optimizer's arrays are of different lengths");
    }
    for (std::size_t begin = 0; begin < size; begin += kPiece) {
      pieces.push_back({i, begin, std::min(kPiece, size - begin)});
    }
  }
  return pieces;
}

PieceArrays from(const OptimizedArrays& arrays, std::size_t begin) {
  return {.value = arrays.value.data() + begin,
          .gradient = arrays.gradient.data() + begin,
          .exp_avg = arrays.exp_avg.data() + begin,
          .exp_avg_sq = arrays.exp_avg_sq.data() + begin,
          .rounded = arrays.rounded.empty() ? nullptr : arrays.rounded.data() + begin};
}

void require_no_rounded(const OptimizedArrays& array) {
  if (!array.rounded.empty()) {
    throw ArgumentError("an array whose rows are stepped one by one has no rounded values");
  }
}

AdamFactors factors_of(const AdamSettings& settings, float scale, const OptimizedArrays& array) {
  const auto step = static_cast<double>(settings.step);
  const double left1 = settings.bias_correction ? 1 - std::pow(settings.beta1, step) : 1;
  const double left2 = settings.bias_correction ? 1 - std::pow(settings.beta2, step) : 1;
  return {.scale = scale,
          .beta1 = static_cast<float>(settings.beta1),
          .rest1 = static_cast<float>(1 - settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .rest2 = static_cast<float>(1 - settings.beta2),
          .correct1 = static_cast<float>(1 / left1),
          .correct2 = static_cast<float>(1 / std::sqrt(left2)),
          .epsilon = static_cast<float>(settings.epsilon),
          .decay = static_cast<float>(array.decay ? settings.weight_decay : 0),
          .learning_rate = static_cast<float>(settings.learning_rate * array.rate)};
}

/// The sum of squares of an array, piece by piece.
double sum_of_pieces(std::span<const float> values) {
  const std::size_t pieces = (values.size() + kPiece - 1) / kPiece;
  std::vector<double> sums(pieces);
  parallel_for(static_cast<std::int64_t>(pieces), 1, [&](std::int64_t index) {
    const auto begin = static_cast<std::size_t>(index) * kPiece;
    sums[static_cast<std::size_t>(index)] = HWY_DYNAMIC_DISPATCH(SquaresPiece)(
        values.data() + begin, std::min(kPiece, values.size() - begin));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

void CpuDevice::adamw(Context& /*context*/, std::span<const OptimizedArrays> arrays,
                      const AdamSettings& settings, float scale) const {
  const auto pieces = pieces_of(arrays);
  parallel_for(static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t index) {
    const auto& piece = pieces[static_cast<std::size_t>(index)];
    const auto& array = arrays[piece.array];
    HWY_DYNAMIC_DISPATCH(AdamPiece)
    (factors_of(settings, scale, array), piece.count, from(array, piece.begin));
  });
}

void CpuDevice::adamw_rows(Context& /*context*/, const OptimizedArrays& array, std::int64_t cols,
                           std::span<const std::int32_t> rows, const AdamSettings& settings,
                           float scale) const {
  require_no_rounded(array);
  const auto factors = factors_of(settings, scale, array);
  const auto count = static_cast<std::size_t>(cols);
  parallel_for(static_cast<std::int64_t>(rows.size()), kRows, [&](std::int64_t index) {
    const std::size_t at = static_cast<std::size_t>(rows[static_cast<std::size_t>(index)]) * count;
    HWY_DYNAMIC_DISPATCH(AdamPiece)
    (factors, count, from(array, at));
  });
}

void CpuDevice::adamw_owed(Context& /*context*/, const OptimizedArrays& array, std::int64_t cols,
                           std::span<const OwedSteps> rows,
                           std::span<const AdamSettings> steps) const {
  require_no_rounded(array);
  std::vector<AdamFactors> factors;
  for (const auto& step : steps) factors.push_back(factors_of(step, 1, array));
  const auto count = static_cast<std::size_t>(cols);
  parallel_for(static_cast<std::int64_t>(rows.size()), kRows, [&](std::int64_t index) {
    const auto& owed = rows[static_cast<std::size_t>(index)];
    const std::size_t at = static_cast<std::size_t>(owed.row) * count;
    for (auto step = static_cast<std::size_t>(owed.first); step < factors.size(); ++step) {
      if (owed.moved) {
        HWY_DYNAMIC_DISPATCH(AdamPiece)
        (factors[step], count, from(array, at));
      } else {
        HWY_DYNAMIC_DISPATCH(DecayPiece)(factors[step], count, array.value.data() + at);
      }
    }
  });
}

void CpuDevice::lamb(Context& /*context*/, std::span<const OptimizedArrays> arrays,
                     const AdamSettings& settings, float scale) const {
  const auto pieces = pieces_of(arrays);
  std::vector<PieceNorms> norms(pieces.size());
  const auto count = static_cast<std::int64_t>(pieces.size());
  parallel_for(count, 1, [&](std::int64_t index) {
    const auto at = static_cast<std::size_t>(index);
    const auto& piece = pieces[at];
    const auto& array = arrays[piece.array];
    norms[at] = HWY_DYNAMIC_DISPATCH(LambPiece)(factors_of(settings, scale, array), piece.count,
                                                from(array, piece.begin));
  });
  std::vector<PieceNorms> sums(arrays.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    sums[pieces[i].array].value += norms[i].value;
    sums[pieces[i].array].update += norms[i].update;
  }
  parallel_for(count, 1, [&](std::int64_t index) {
    const auto& piece = pieces[static_cast<std::size_t>(index)];
    const auto& array = arrays[piece.array];
    const auto& sum = sums[piece.array];
    const bool adapts = array.decay && sum.value > 0 && sum.update > 0;
    const double trust = adapts ? std::sqrt(sum.value / sum.update) : 1;
    HWY_DYNAMIC_DISPATCH(ApplyPiece)
    (static_cast<float>(settings.learning_rate * array.rate * trust), piece.count,
     from(array, piece.begin));
  });
}

Pending<double> CpuDevice::sum_of_squares(Context& /*context*/,
                                          std::span<const std::span<const float>> arrays) const {
  double total = 0;
  for (const auto& array : arrays) total += sum_of_pieces(array);
  return total;
}

Pending<double> CpuDevice::sum_of_squares(Context& /*context*/, std::span<const float> values,
                                          std::int64_t cols,
                                          std::span<const std::int32_t> rows) const {
  std::vector<double> sums(rows.size());
  const auto count = static_cast<std::size_t>(cols);
  parallel_for(static_cast<std::int64_t>(rows.size()), kRows, [&](std::int64_t index) {
    const auto at = static_cast<std::size_t>(index);
    sums[at] = HWY_DYNAMIC_DISPATCH(SquaresPiece)(
        values.data() + static_cast<std::size_t>(rows[at]) * count, count);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
