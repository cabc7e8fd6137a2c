// Rows of values in and out of f32 scratch, for any dtype that activations have. Included once for
// every instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_ROWS_INL_H_
#undef CLOZE_OPS_CPU_ROWS_INL_H_
#else
#define CLOZE_OPS_CPU_ROWS_INL_H_
#endif
// clang-format on

#include <cstring>

#include "cloze/tensor.h"
#include "hwy/highway.h"
#include "ops/matrix.h"
#include "ops/ops.h"

// Whether instructions for bf16 may exist; whether they do is asked at run time.
#undef CLOZE_MAY_HAVE_BF16
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define CLOZE_MAY_HAVE_BF16 1
#else
#define CLOZE_MAY_HAVE_BF16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;

/// Elements of a scratch row of `cols` values: whole vectors.
inline std::size_t padded(std::size_t cols) {
  const std::size_t lanes = hn::Lanes(F32());
  return (cols + lanes - 1) / lanes * lanes;
}

using BFloat16Bits = hn::Vec<hn::Rebind<std::uint16_t, F32>>;

/// Bits of bf16 nearest to each lane, ties to even; NaN stays NaN. On any machine.
struct RoundByArithmetic {
  HWY_INLINE BFloat16Bits operator()(hn::Vec<F32> value) const {
    const hn::RebindToUnsigned<F32> du;
    const auto bits = hn::BitCast(du, value);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7FFF)), odd);
    const auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
    const auto nan = hn::RebindMask(du, hn::IsNaN(value));
    const hn::Rebind<std::uint16_t, F32> d16;
    return hn::TruncateTo(d16, hn::ShiftRight<16>(hn::IfThenElse(nan, quiet, rounded)));
  }
};

#if CLOZE_MAY_HAVE_BF16
/// The same where `accelerates(DType::bf16)`, but zero for what is smaller than 2^-126.
struct RoundByInstruction {
  HWY_INLINE BFloat16Bits operator()(hn::Vec<F32> value) const {
    BFloat16Bits
        bits;  // Highway 1.0 has no name for it, and its target lacks the compiler's switch
    asm("vcvtneps2bf16 %1, %0" : "=v"(bits.raw) : "v"(value.raw));
    return bits;
  }
};
#endif

/// Calls `body(round)` with this machine's way of rounding.
template <class Body>
HWY_INLINE void WithRounding(const Body& body) {
#if CLOZE_MAY_HAVE_BF16
  if (accelerates(DType::bf16)) return body(RoundByInstruction());
#endif
  body(RoundByArithmetic());
}

/// to[0, cols) = the values nearest to values(i), a vector from i on, and to tail(i) for single i.
template <class Values, class Tail>
HWY_INLINE void StoreRounded(std::size_t cols, BFloat16* to, const Values& values,
                             const Tail& tail) {
  const std::size_t lanes = hn::Lanes(F32()), whole = cols / lanes * lanes;
  auto* bits = reinterpret_cast<std::uint16_t*>(to);
  WithRounding([&](auto round) {
    for (std::size_t i = 0; i < whole; i += lanes) {
      hn::StoreU(round(values(i)), hn::Rebind<std::uint16_t, F32>(), bits + i);
    }
  });
  for (std::size_t i = whole; i < cols; ++i) to[i] = BFloat16::from(tail(i));
}

/// to[0, cols) = from, rounded.
inline void StoreRounded(const float* HWY_RESTRICT from, std::size_t cols,
                         BFloat16* HWY_RESTRICT to) {
  StoreRounded(
      cols, to, [&](std::size_t i) { return hn::LoadU(F32(), from + i); },
      [&](std::size_t i) { return from[i]; });
}

HWY_INLINE hn::Vec<F32> FromBFloat16([[maybe_unused]] F32 d, const BFloat16* from) {
  const hn::Rebind<std::uint16_t, F32> d16;
  const hn::RebindToUnsigned<F32> du;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, bits)));
}

/// to[0, cols) = from; the padding up to a whole vector becomes zero.
inline void LoadRow(const BFloat16* from, std::size_t cols, float* to) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= cols; i += lanes) hn::StoreU(FromBFloat16(d, from + i), d, to + i);
  for (; i < cols; ++i) to[i] = static_cast<float>(from[i]);
  for (; i % lanes != 0; ++i) to[i] = 0.0F;
}

inline void LoadRow(const float* from, std::size_t cols, float* to) {
  std::memcpy(to, from, cols * sizeof(float));
  for (std::size_t i = cols; i % hn::Lanes(F32()) != 0; ++i) to[i] = 0.0F;
}

inline void LoadRow(const Float16* from, std::size_t cols, float* to) {
  for (std::size_t i = 0; i < cols; ++i) to[i] = static_cast<float>(from[i]);
  for (std::size_t i = cols; i % hn::Lanes(F32()) != 0; ++i) to[i] = 0.0F;
}

/// As above, from a row of whatever dtype.
inline void LoadRow(DType dtype, const std::byte* from, std::size_t cols, float* to) {
  switch (dtype) {
    case DType::bf16:
      return LoadRow(reinterpret_cast<const BFloat16*>(from), cols, to);
    case DType::f16:
      return LoadRow(reinterpret_cast<const Float16*>(from), cols, to);
    default:
      return LoadRow(reinterpret_cast<const float*>(from), cols, to);
  }
}

/// to[0, cols) = from in `dtype` (f32 or bf16). `from` is padded to whole vectors.
inline void StoreRow(const float* from, std::size_t cols, DType dtype, std::byte* to) {
  if (dtype != DType::bf16) {
    std::memcpy(to, from, cols * sizeof(float));
    return;
  }
  StoreRounded(from, cols, reinterpret_cast<BFloat16*>(to));
}

/// row = (row - mean) / sqrt(variance + epsilon) * gamma + beta over [0, cols).
inline void NormalizeRow(float* HWY_RESTRICT row, std::size_t cols, const float* HWY_RESTRICT gamma,
                         const float* HWY_RESTRICT beta, float epsilon) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t whole = cols / lanes * lanes;
  const auto count = static_cast<float>(cols);

  auto sums = hn::Zero(d);
  for (std::size_t i = 0; i < whole; i += lanes) sums = hn::Add(sums, hn::LoadU(d, row + i));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (std::size_t i = whole; i < cols; ++i) sum += row[i];
  const float mean = sum / count;

  const auto means = hn::Set(d, mean);
  auto squares = hn::Zero(d);
  for (std::size_t i = 0; i < whole; i += lanes) {
    const auto centred = hn::Sub(hn::LoadU(d, row + i), means);
    squares = hn::MulAdd(centred, centred, squares);
  }
  float square = hn::GetLane(hn::SumOfLanes(d, squares));
  for (std::size_t i = whole; i < cols; ++i) square += (row[i] - mean) * (row[i] - mean);
  const float scale = 1.0F / std::sqrt(square / count + epsilon);

  const auto scales = hn::Set(d, scale);
  for (std::size_t i = 0; i < whole; i += lanes) {
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, row + i), means), scales);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, gamma + i), hn::LoadU(d, beta + i)), d, row + i);
  }
  for (std::size_t i = whole; i < cols; ++i) {
    row[i] = (row[i] - mean) * scale * gamma[i] + beta[i];
  }
}

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
