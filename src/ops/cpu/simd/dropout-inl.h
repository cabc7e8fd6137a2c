// Dropout's factors of a row, many counters of Philox at a time. Included once for every
// instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_SIMD_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_SIMD_DROPOUT_INL_H_
#undef CLOZE_OPS_CPU_SIMD_DROPOUT_INL_H_
#else
#define CLOZE_OPS_CPU_SIMD_DROPOUT_INL_H_
#endif
// clang-format on

#include <cmath>
#include <cstdint>

#include "core/philox.h"
#include "hwy/highway.h"
#include "ops/dropout.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Columns whose factors are made together: 16 counters give 64 words, 128 halves of words.
constexpr std::size_t kDropoutColumns = 128;

inline std::uint32_t DropoutThreshold(const Dropout& dropout) {
  return static_cast<std::uint32_t>(std::lround(dropout.probability * 65536.0F));
}

inline bool Drops(const Dropout& dropout) { return DropoutThreshold(dropout) > 0; }

/// factors = the row's factors of columns [first, first + cols) and on to a multiple of
/// kDropoutColumns, which `first` is one of. The element in column 128·g + 32·w + c
/// (c < 16) is kept unless the lower half of word w of block (row·2^32 + 16·g + c) is below the
/// threshold; the upper half decides about column 128·g + 32·w + 16 + c.
inline void DropoutRow(const Dropout& dropout, std::int64_t row, std::size_t cols, float* factors,
                       std::size_t first = 0) {
  const std::uint32_t threshold = DropoutThreshold(dropout);
  const float scale = threshold >= 65536 ? 0.0F : 65536.0F / static_cast<float>(65536 - threshold);
#if HWY_TARGET == HWY_SCALAR
  const Philox random(dropout.seed, dropout.stream);
  for (std::size_t at = 0; at < cols; at += kDropoutColumns) {
    for (std::size_t c = 0; c < 16; ++c) {
      const auto words = random.block(static_cast<std::uint64_t>(row) << 32U |
                                      ((first + at) / kDropoutColumns * 16 + c));
      for (std::size_t w = 0; w < 4; ++w) {
        factors[at + 32 * w + c] = (words[w] & 0xFFFFU) >= threshold ? scale : 0.0F;
        factors[at + 32 * w + 16 + c] = (words[w] >> 16U) >= threshold ? scale : 0.0F;
      }
    }
  }
#else
  const hn::CappedTag<std::uint32_t, 16> du;
  const hn::RebindToSigned<decltype(du)> di;
  const hn::RebindToFloat<decltype(du)> df;
  const hn::Repartition<std::uint64_t, decltype(du)> du64;
  const std::size_t lanes = hn::Lanes(du);
  const auto high = [&](auto x, auto factor) {  // the upper half of each 64-bit product
    const auto even = hn::ShiftRight<32>(hn::MulEven(x, factor));
    const auto odd = hn::MulEven(hn::BitCast(du, hn::ShiftRight<32>(hn::BitCast(du64, x))), factor);
    return hn::OddEven(hn::BitCast(du, odd), hn::BitCast(du, even));
  };
  const auto low32 = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto factor0 = hn::Set(du, 0xD2511F53U), factor1 = hn::Set(du, 0xCD9E8D57U);
  const auto limit = hn::Set(di, static_cast<std::int32_t>(threshold) - 1);
  const auto kept = hn::Set(df, scale);
  for (std::size_t at = 0; at < cols; at += kDropoutColumns) {
    for (std::size_t c = 0; c < 16; c += lanes) {
      auto x0 = hn::Iota(du, static_cast<std::uint32_t>((first + at) / kDropoutColumns * 16 + c));
      auto x1 = hn::Set(du, low32(static_cast<std::uint64_t>(row)));
      auto x2 = hn::Set(du, low32(dropout.stream)), x3 = hn::Set(du, low32(dropout.stream >> 32U));
      std::uint32_t key0 = low32(dropout.seed), key1 = low32(dropout.seed >> 32U);
      for (int round = 0; round < 10; ++round) {
        const auto high0 = high(x0, factor0), low0 = hn::Mul(x0, factor0);
        const auto high1 = high(x2, factor1), low1 = hn::Mul(x2, factor1);
        x0 = hn::Xor(hn::Xor(high1, x1), hn::Set(du, key0));
        x1 = low1;
        x2 = hn::Xor(hn::Xor(high0, x3), hn::Set(du, key1));
        x3 = low0;
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
      }
      const auto store = [&](auto words, std::size_t column) {
        const auto keep = [&](auto half) {
          const auto mask = hn::Gt(hn::BitCast(di, half), limit);
          return hn::IfThenElseZero(hn::RebindMask(df, mask), kept);
        };
        hn::StoreU(keep(hn::And(words, hn::Set(du, 0xFFFFU))), df, factors + at + column);
        hn::StoreU(keep(hn::ShiftRight<16>(words)), df, factors + at + column + 16);
      };
      store(x0, c);
      store(x1, 32 + c);
      store(x2, 64 + c);
      store(x3, 96 + c);
    }
  }
#endif
}

/// row[0, cols) *= factors, whole vectors.
inline void MultiplyRow(float* HWY_RESTRICT row, const float* HWY_RESTRICT factors,
                        std::size_t cols) {
  const hn::ScalableTag<float> d;
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::LoadU(d, factors + i)), d, row + i);
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
