// The arithmetic of attention: register-tiled products of small matrices and the softmax of a row,
// for each instruction set. Included once for every instruction set by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_SIMD_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_SIMD_ATTENTION_TILE_INL_H_
#undef CLOZE_OPS_CPU_SIMD_ATTENTION_TILE_INL_H_
#else
#define CLOZE_OPS_CPU_SIMD_ATTENTION_TILE_INL_H_
#endif
// clang-format on

#include <cstring>
#include <limits>

#include "core/arena.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

template <class T>
T* Take(Arena& scratch, std::size_t count) {
  return scratch.take<T>(static_cast<std::int64_t>(count)).data();
}

inline std::size_t RoundUp(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr std::size_t kRows = 4;  // rows of the register tile

/// Products of f32: a step of depth is one value.
struct SingleSteps {
  using Element = float;
  using Tag = F32;
  static HWY_INLINE auto Broadcast(const float* from) { return hn::Set(Tag(), *from); }
  template <class V, class S>
  static HWY_INLINE S MulAdd(V left, V right, S sum) {
    return hn::MulAdd(left, right, sum);
  }
};

#if CLOZE_MAY_HAVE_BF16
/// Products of bf16 summed in f32: a step of depth is a pair of neighbours, in one 32-bit element.
struct PairSteps {
  using Element = std::uint32_t;
  using Tag = hn::ScalableTag<std::uint32_t>;
  static HWY_INLINE auto Broadcast(const std::uint32_t* from) {
    std::uint32_t pair;
    std::memcpy(&pair, from, sizeof(pair));  // rows of bf16 are aligned to their elements only
    return hn::Set(Tag(), pair);
  }
  template <class V, class S>
  static HWY_INLINE S MulAdd(V left, V right, S sum) {
    // Highway 1.0 has no name for this instruction, and its target lacks the compiler's switch.
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(left.raw), "v"(right.raw));
    return sum;
  }
};
#endif

/// The left side of a product, [rows, depth] elements: row by row as it lies, or transposed, which
/// is a matter of strides because its elements are broadcast one by one.
template <class Element>
struct LeftSide {
  const Element* data = nullptr;
  std::size_t row_stride = 0;
  std::size_t step_stride = 1;
};

/// The right side of a product, [depth, cols] elements, row by row.
template <class Element>
struct RightSide {
  const Element* data = nullptr;
  std::size_t stride = 0;
};

/// Where a product goes: [rows, cols] f32.
struct TileOutput {
  float* data = nullptr;
  std::size_t stride = 0;
};

struct TileSize {
  std::size_t rows = 0;   ///< a multiple of kRows
  std::size_t depth = 0;  ///< in steps
  std::size_t cols = 0;   ///< a multiple of the lanes
};

/// c [kRows, kVectors·lanes] = (with kAdd: +=) a [kRows, depth] · b [depth, kVectors·lanes], depth
/// in steps. With 4 rows and 4 vectors each step does 16 multiply-adds on 4 loads and 4 broadcasts,
/// so that arithmetic is the limit.
template <class Steps, std::size_t kVectors, bool kAdd>
HWY_INLINE void RegisterTile(const LeftSide<typename Steps::Element>& a,
                             const RightSide<typename Steps::Element>& b, std::size_t depth,
                             const TileOutput& c) {
  const F32 d;
  const typename Steps::Tag step;
  const std::size_t lanes = hn::Lanes(d);
  const typename Steps::Element* HWY_RESTRICT from = b.data;
  float* HWY_RESTRICT to = c.data;
  hn::Vec<F32> sum[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = kAdd ? hn::LoadU(d, to + r * c.stride + v * lanes) : hn::Zero(d);
    }
  }
  for (std::size_t k = 0; k < depth; ++k) {
    hn::Vec<typename Steps::Tag> right[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      right[v] = hn::LoadU(step, from + k * b.stride + v * lanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto left = Steps::Broadcast(a.data + r * a.row_stride + k * a.step_stride);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = Steps::MulAdd(left, right[v], sum[r][v]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, to + r * c.stride + v * lanes);
    }
  }
}

/// c [rows, cols] = (+=) a [rows, depth] · b [depth, cols].
template <class Steps, bool kAdd = false>
void Multiply(const LeftSide<typename Steps::Element>& a,
              const RightSide<typename Steps::Element>& b, const TileSize& size,
              const TileOutput& c) {
  const std::size_t lanes = hn::Lanes(F32());
  // Columns outside, so that a slice of b stays in the first-level cache for all rows.
  const auto slice = [&]<std::size_t kVectors>(std::size_t col) {
    for (std::size_t r = 0; r < size.rows; r += kRows) {
      RegisterTile<Steps, kVectors, kAdd>({a.data + r * a.row_stride, a.row_stride, a.step_stride},
                                          {b.data + col, b.stride}, size.depth,
                                          {c.data + r * c.stride + col, c.stride});
    }
  };
  std::size_t col = 0;
  for (; col + 4 * lanes <= size.cols; col += 4 * lanes) slice.template operator()<4>(col);
  switch ((size.cols - col) / lanes) {
    case 3:
      slice.template operator()<3>(col);
      break;
    case 2:
      slice.template operator()<2>(col);
      break;
    case 1:
      slice.template operator()<1>(col);
      break;
    default:
      break;
  }
}

/// e^x by the library. `kBase` is the logarithm that turns exponents of e into its own.
struct ExactExponential {
  static constexpr float kBase = 1.0F;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Exp(d, x);
  }
};

/// 2^x for x <= 0 to 4e-6 relative, 2^-126 below -126: 2^n·2^f with f in [-0.5, 0.5], 2^f by its
/// minimax polynomial of degree 4. For results that are rounded to bf16. NaN stays NaN.
struct RoundedExponential {
  static constexpr float kBase = 1.44269504F;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToSigned<D> di;
    const auto shifter = hn::Set(d, 12582912.0F);    // 1.5·2²³: sums with it are whole numbers,
    const auto y = hn::Max(hn::Set(d, -126.0F), x);  // (the order of Max's operands keeps NaN)
    const auto n = hn::Add(y, shifter);              // n in the lowest bits,
    const auto f = hn::Sub(y, hn::Sub(n, shifter));
    auto poly = hn::MulAdd(hn::Set(d, 0.00958288654F), f, hn::Set(d, 0.0559065113F));
    poly = hn::MulAdd(poly, f, hn::Set(d, 0.240240986F));
    poly = hn::MulAdd(poly, f, hn::Set(d, 0.693124184F));
    poly = hn::MulAdd(poly, f, hn::Set(d, 1.0F));
    const auto power = hn::ShiftLeft<23>(hn::BitCast(di, n));  // that here reach the exponent's
    return hn::BitCast(d, hn::Add(hn::BitCast(di, poly), power));
  }
};

/// exp(scale·row - max(scale·row)) of row [cols], zeros up to a whole vector, given to `store`
/// vector by vector with its place in the row; returns the sum.
template <class Exponential, class Store>
HWY_INLINE float ExponentiateRowTo(const Exponential& exponential, const Store& store,
                                   const float* row, std::size_t cols, float scale) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t whole = cols / lanes * lanes;
  const auto tail = hn::FirstN(d, cols - whole);
  const auto scales = hn::Set(d, scale * Exponential::kBase);
  auto most = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < whole; i += lanes) most = hn::Max(most, hn::LoadU(d, row + i));
  if (whole < cols) {  // rows are padded to whole vectors, so the whole vector may be touched
    most = hn::Max(most, hn::IfThenElse(tail, hn::LoadU(d, row + whole), most));
  }
  const auto shift = hn::Neg(hn::Mul(hn::MaxOfLanes(d, most), scales));
  auto sums = hn::Zero(d);
  for (std::size_t i = 0; i < whole; i += lanes) {
    const auto value = exponential(d, hn::MulAdd(hn::LoadU(d, row + i), scales, shift));
    sums = hn::Add(sums, value);
    store(value, i);
  }
  if (whole < cols) {
    const auto value = exponential(d, hn::MulAdd(hn::LoadU(d, row + whole), scales, shift));
    const auto kept = hn::IfThenElseZero(tail, value);
    sums = hn::Add(sums, kept);
    store(kept, whole);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

/// The same, in place.
template <class Exponential>
HWY_INLINE float ExponentiateRow(const Exponential& exponential, float* row, std::size_t cols,
                                 float scale) {
  const auto store = [row](auto value, std::size_t i) { hn::StoreU(value, F32(), row + i); };
  return ExponentiateRowTo(exponential, store, row, cols, scale);
}

#if CLOZE_MAY_HAVE_BF16
/// ExponentiateRow with its results rounded to bf16 in `to`; row keeps the scores.
inline float ExponentiateRowRounded(const float* row, std::size_t cols, float scale, BFloat16* to) {
  auto* bits = reinterpret_cast<std::uint16_t*>(to);
  const auto store = [bits](auto value, std::size_t i) {
    hn::StoreU(RoundByInstruction()(value), hn::Rebind<std::uint16_t, F32>(), bits + i);
  };
  return ExponentiateRowTo(RoundedExponential(), store, row, cols, scale);
}
#endif

/// row *= scale over whole vectors.
inline void ScaleRow(float* row, std::size_t cols, float scale) {
  const F32 d;
  for (std::size_t i = 0; i < cols; i += hn::Lanes(d)) {
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::Set(d, scale)), d, row + i);
  }
}

/// to [cols, rows] = transpose of from [rows, cols], 32-bit elements, in blocks of 4 by 4.
template <class T>
void Transpose(const T* from, std::size_t from_stride, std::size_t rows, std::size_t cols, T* to,
               std::size_t to_stride) {
  static_assert(sizeof(T) == 4);
  std::size_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Full128<std::uint32_t> d;
  const hn::Full128<std::uint64_t> d64;
  const auto load = [&](std::size_t row, std::size_t col) {
    return hn::LoadU(d, reinterpret_cast<const std::uint32_t*>(from + row * from_stride + col));
  };
  for (; r + 4 <= rows; r += 4) {
    for (std::size_t c = 0; c + 4 <= cols; c += 4) {
      const auto a = load(r, c), b = load(r + 1, c), e = load(r + 2, c), f = load(r + 3, c);
      const auto ab_low = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
      const auto ab_high = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
      const auto ef_low = hn::BitCast(d64, hn::InterleaveLower(d, e, f));
      const auto ef_high = hn::BitCast(d64, hn::InterleaveUpper(d, e, f));
      const auto store = [&](std::size_t col, auto value) {
        hn::StoreU(hn::BitCast(d, value), d,
                   reinterpret_cast<std::uint32_t*>(to + (c + col) * to_stride + r));
      };
      store(0, hn::InterleaveLower(d64, ab_low, ef_low));
      store(1, hn::InterleaveUpper(d64, ab_low, ef_low));
      store(2, hn::InterleaveLower(d64, ab_high, ef_high));
      store(3, hn::InterleaveUpper(d64, ab_high, ef_high));
    }
    for (std::size_t c = cols / 4 * 4; c < cols; ++c) {
      for (std::size_t i = r; i < r + 4; ++i) to[c * to_stride + i] = from[i * from_stride + c];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

#if CLOZE_MAY_HAVE_BF16
/// to [cols] = neighbouring rows' values side by side: (a[i], b[i]) in element i.
inline void PairRows(const BFloat16* a, const BFloat16* b, std::size_t cols, std::uint32_t* to) {
  const hn::Full128<std::uint16_t> d;
  const auto* left = reinterpret_cast<const std::uint16_t*>(a);
  const auto* right = reinterpret_cast<const std::uint16_t*>(b);
  std::size_t i = 0;
  for (; i + 8 <= cols; i += 8) {
    const auto x = hn::LoadU(d, left + i), y = hn::LoadU(d, right + i);
    hn::StoreU(hn::InterleaveLower(d, x, y), d, reinterpret_cast<std::uint16_t*>(to + i));
    hn::StoreU(hn::InterleaveUpper(d, x, y), d, reinterpret_cast<std::uint16_t*>(to + i + 4));
  }
  for (; i < cols; ++i) to[i] = left[i] | static_cast<std::uint32_t>(right[i]) << 16U;
}
#endif

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
