// Rows of values in and out of f32 scratch, for any dtype that activations have. Included once for
// every instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_SIMD_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_SIMD_ROWS_INL_H_
#undef CLOZE_OPS_CPU_SIMD_ROWS_INL_H_
#else
#define CLOZE_OPS_CPU_SIMD_ROWS_INL_H_
#endif
// clang-format on

#include <cstring>
#include <type_traits>

#include "cloze/tensor.h"
#include "hwy/highway.h"
#include "ops/linear.h"
#include "ops/matrix.h"

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
/// The same where `accelerates(DType::bf16)`, but zero for what is smaller than 2^-126. Highway 1.0
/// has no name for the instruction, and its target lacks the compiler's switch.
struct RoundByInstruction {
  HWY_INLINE BFloat16Bits operator()(hn::Vec<F32> value) const {
    BFloat16Bits bits;
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

/// Calls `step(d, i)` for the whole vectors of [0, count), then for the single values left.
template <class Step>
HWY_INLINE void OverVectors(std::size_t count, const Step& step) {
  const F32 d;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) step(d, i);
  for (; i < count; ++i) step(hn::CappedTag<float, 1>(), i);
}

/// Stores a vector's or a single value's nearest bf16.
template <class Round, class D>
HWY_INLINE void StoreNearest(const Round& round, [[maybe_unused]] D d, hn::Vec<D> value,
                             BFloat16* to) {
  if constexpr (std::is_same_v<D, F32>) {
    hn::StoreU(round(value), hn::Rebind<std::uint16_t, F32>(),
               reinterpret_cast<std::uint16_t*>(to));
  } else {
    *to = BFloat16::from(hn::GetLane(value));
  }
}

/// to[0, cols) = what is nearest to `values(d, i)`, as OverVectors counts.
template <class Round, class Values>
HWY_INLINE void StoreRounded(const Round& round, std::size_t cols, BFloat16* to,
                             const Values& values) {
  OverVectors(cols, [&](auto d, std::size_t i) { StoreNearest(round, d, values(d, i), to + i); });
}
template <class Values>
HWY_INLINE void StoreRounded(std::size_t cols, BFloat16* to, const Values& values) {
  WithRounding([&](auto round) { StoreRounded(round, cols, to, values); });
}

/// to[0, cols) = from, rounded.
inline void StoreRounded(const float* HWY_RESTRICT from, std::size_t cols,
                         BFloat16* HWY_RESTRICT to) {
  StoreRounded(cols, to, [&](auto d, std::size_t i) { return hn::LoadU(d, from + i); });
}

template <class D>
HWY_INLINE hn::Vec<D> FromBFloat16(D d, const BFloat16* from) {
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, bits)));
}

/// to[0, cols) = from; the padding up to a whole vector becomes zero.
inline void LoadRow(const BFloat16* from, std::size_t cols, float* to) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d), whole = cols / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) hn::StoreU(FromBFloat16(d, from + i), d, to + i);
  if (whole == cols) return;
  for (std::size_t i = whole; i < cols; ++i) to[i] = static_cast<float>(from[i]);
  for (std::size_t i = cols; i < whole + lanes; ++i) to[i] = 0.0F;
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

/// to += from over whole vectors.
inline void AddTo(const float* HWY_RESTRICT from, std::size_t cols, float* HWY_RESTRICT to) {
  const F32 d;
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
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
