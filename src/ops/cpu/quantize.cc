// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/quantize.cc"
#include "hwy/foreach_target.h"
// clang-format on
#include "ops/cpu/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "ops/cpu/simd/activation-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// The step of 255 from low to high, low <= 0 <= high: a normal number, whose inverse is finite.
inline float ScaleOf(float low, float high) {
  const float range = high - low;
  if (range == 0.0F) return 1.0F;
  const float step = std::isfinite(range) ? range / 255.0F : high / 255.0F - low / 255.0F;
  return std::max(step, std::numeric_limits<float>::min());
}

void QuantizeRow(const float* HWY_RESTRICT row, std::size_t cols, std::uint8_t* HWY_RESTRICT to,
                 float* scale, std::int32_t* zero) {
  const F32 d;
  const hn::Rebind<std::uint8_t, F32> d8;
  const hn::RebindToSigned<F32> di;
  const hn::RebindToUnsigned<F32> du;
  const std::size_t lanes = hn::Lanes(d);
  auto lows = hn::Zero(d), highs = hn::Zero(d);
  auto magnitudes = hn::Zero(du);  // as bits, whose order is the values', infinities and NaN last
  for (std::size_t i = 0; i < cols; i += lanes) {  // the padding is zero, as the range's start is
    const auto value = hn::LoadU(d, row + i);
    lows = hn::Min(lows, value);
    highs = hn::Max(highs, value);
    magnitudes = hn::Max(magnitudes, hn::And(hn::BitCast(du, value), hn::Set(du, 0x7FFFFFFF)));
  }
  if (hn::GetLane(hn::MaxOfLanes(du, magnitudes)) >= 0x7F800000) {
    // 8 bits cannot hold it: the scale carries it to every output of the row.
    *scale = std::numeric_limits<float>::quiet_NaN();
    *zero = 0;
    std::fill_n(to, cols, std::uint8_t{0});
    return;
  }
  const float low = hn::GetLane(hn::MinOfLanes(d, lows));
  const float high = hn::GetLane(hn::MaxOfLanes(d, highs));
  *scale = ScaleOf(low, high);
  *zero = static_cast<std::int32_t>(std::nearbyint(-low / *scale));
  const auto inverse = hn::Set(d, 1.0F / *scale);
  const auto offset = hn::Set(di, *zero);
  std::size_t i = 0;
  for (; i + lanes <= cols; i += lanes) {
    const auto value = hn::NearestInt(hn::Mul(hn::LoadU(d, row + i), inverse));
    hn::StoreU(hn::DemoteTo(d8, hn::Add(value, offset)), d8, to + i);
  }
  for (; i < cols; ++i) {
    const auto value = static_cast<std::int32_t>(std::nearbyint(row[i] * (1.0F / *scale)));
    to[i] = static_cast<std::uint8_t>(std::clamp(value + *zero, 0, 255));
  }
}

void QuantizeRows(const ConstMatrix& x, float* row, const QuantizedRows& to) {
  const auto cols = static_cast<std::size_t>(x.cols);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    LoadRow(x.dtype, x.row(r), cols, row);
    QuantizeRow(row, cols, to.values + r * x.cols, to.scales + r, to.zeros + r);
  }
}

template <Epilogue kEpilogue, class Round>
HWY_INLINE void DequantizeRow(const Dequantization& task, std::int64_t row, const Round& round) {
  const auto cols = static_cast<std::size_t>(task.y.cols);
  const std::int32_t* HWY_RESTRICT sums = task.sums + row * task.stride;
  const float* HWY_RESTRICT channel_scales = task.channel_scales;
  const std::int32_t* HWY_RESTRICT channel_sums = task.channel_sums;
  const float* HWY_RESTRICT bias = task.bias;
  const float scale = task.x.scales[row];
  const std::int32_t zero = task.x.zeros[row];
  const auto values_at = [&](auto d, std::size_t i) {
    const hn::RebindToSigned<decltype(d)> di;
    const auto zeros = hn::Set(di, zero);
    const auto exact =
        hn::Sub(hn::LoadU(di, sums + i), hn::Mul(zeros, hn::LoadU(di, channel_sums + i)));
    const auto factor = hn::Mul(hn::Set(d, scale), hn::LoadU(d, channel_scales + i));
    return Activate(d, kEpilogue,
                    hn::MulAdd(hn::ConvertTo(d, exact), factor, hn::LoadU(d, bias + i)));
  };
  constexpr bool kAdds = kEpilogue == Epilogue::add;
  if (task.y.dtype == DType::bf16) {
    auto* out = reinterpret_cast<BFloat16*>(task.y.row(row));
    StoreRounded(round, cols, out, [&](auto d, std::size_t i) {
      const auto value = values_at(d, i);
      return kAdds ? hn::Add(value, FromBFloat16(d, out + i)) : value;
    });
    return;
  }
  auto* out = reinterpret_cast<float*>(task.y.row(row));
  OverVectors(cols, [&](auto d, std::size_t i) {
    const auto value = values_at(d, i);
    hn::StoreU(kAdds ? hn::Add(value, hn::LoadU(d, out + i)) : value, d, out + i);
  });
}

template <Epilogue kEpilogue>
void DequantizeAll(const Dequantization& task) {
  WithRounding([&](auto round) {  // asked once, for rows may be short
    for (std::int64_t row = 0; row < task.y.rows; ++row) {
      DequantizeRow<kEpilogue>(task, row, round);
    }
  });
}

void DequantizeRows(const Dequantization& task) {
  switch (task.epilogue) {
    case Epilogue::none:
      return DequantizeAll<Epilogue::none>(task);
    case Epilogue::add:
      return DequantizeAll<Epilogue::add>(task);
    case Epilogue::gelu:
      return DequantizeAll<Epilogue::gelu>(task);
    case Epilogue::gelu_tanh:
      return DequantizeAll<Epilogue::gelu_tanh>(task);
    case Epilogue::relu:
      return DequantizeAll<Epilogue::relu>(task);
    case Epilogue::silu:
      return DequantizeAll<Epilogue::silu>(task);
    case Epilogue::tanh:
      return DequantizeAll<Epilogue::tanh>(task);
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cloze::ops {
HWY_EXPORT(QuantizeRows);
HWY_EXPORT(DequantizeRows);

void quantize_rows(ConstMatrix x, float* row, const QuantizedRows& to) {
  HWY_DYNAMIC_DISPATCH(QuantizeRows)(x, row, to);
}

void dequantize_rows(const Dequantization& task) { HWY_DYNAMIC_DISPATCH(DequantizeRows)(task); }

QuantizedChannels quantize_weights(std::span<const float> weights, std::int64_t out_features,
                                   std::int32_t limit, std::span<std::int8_t> to) {
  QuantizedChannels channels;
  const std::size_t count = weights.size() / static_cast<std::size_t>(out_features);
  for (std::size_t channel = 0; channel < static_cast<std::size_t>(out_features); ++channel) {
    const auto row = weights.subspan(channel * count, count);
    float most = 0.0F;
    bool finite = true;
    for (const float value : row) {
      most = std::max(most, std::fabs(value));
      finite = finite && std::isfinite(value);
    }
    if (!finite) {  // seen in every output of the channel, as without quantization
      std::fill_n(to.data() + channel * count, count, std::int8_t{0});
      channels.scales.push_back(std::numeric_limits<float>::quiet_NaN());
      channels.sums.push_back(0);
      continue;
    }
    const float step =
        std::max(most / static_cast<float>(limit), std::numeric_limits<float>::min());
    const float scale = most > 0.0F ? step : 1.0F;
    const float inverse = 1.0F / scale;
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<std::int32_t>(std::nearbyint(row[i] * inverse));
      const auto quantized = std::clamp(value, -limit, limit);
      to[channel * count + i] = static_cast<std::int8_t>(quantized);
      sum += quantized;
    }
    channels.scales.push_back(scale);
    channels.sums.push_back(sum);
  }
  return channels;
}

}  // namespace cloze::ops
#endif  // HWY_ONCE
