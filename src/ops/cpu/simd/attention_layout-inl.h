// How attention's operands lie, for each instruction set. Included once for every instruction set
// by Highway's foreach_target.
// clang-format off
#if defined(CLOZE_OPS_CPU_SIMD_ATTENTION_LAYOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CLOZE_OPS_CPU_SIMD_ATTENTION_LAYOUT_INL_H_
#undef CLOZE_OPS_CPU_SIMD_ATTENTION_LAYOUT_INL_H_
#else
#define CLOZE_OPS_CPU_SIMD_ATTENTION_LAYOUT_INL_H_
#endif
// clang-format on

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "ops/cpu/simd/amx.h"
#include "ops/cpu/simd/attention_tile-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// How operands lie for products whose depth goes in single f32 values. `Across` has the depth down
/// its rows, the others along them.
struct SingleLayout {
  using Element = float;
  static constexpr std::size_t kDepth = 1;        ///< values of a step
  static constexpr std::size_t kRowUnit = kRows;  ///< rows of a product are whole units
  static constexpr std::size_t kStepUnit = 1;     ///< and so are its steps, with zeros at the end
  static constexpr std::size_t kAcrossSize = 1;   ///< of TileAcross's scratch, in tiles

  /// While it lives, the thread multiplies.
  struct Scope {};
  /// c = (with kAdd: +=) a·b.
  template <bool kAdd = false>
  static void Product(const LeftSide<Element>& a, const RightSide<Element>& b, const TileSize& size,
                      const TileOutput& c) {
    Multiply<SingleSteps, kAdd>(a, b, size, c);
  }

  /// to [rows, cols] = from, zero rows below.
  static void Rows(const ConstMatrix& from, std::size_t rows, float* to, std::size_t stride) {
    const auto count = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    for (std::size_t r = 0; r < count; ++r) {
      LoadRow(from.dtype, from.row(static_cast<std::int64_t>(r)), cols, to + r * stride);
    }
    std::fill(to + count * stride, to + rows * stride, 0.0F);
  }
  static void Across(const ConstMatrix& from, float* to, std::size_t stride) {
    Rows(from, static_cast<std::size_t>(from.rows), to, stride);
  }
  /// to [cols, stride] = the transpose of from, zeros up to `stride`.
  /// `plain` is scratch of [rows, cols padded].
  static void Transposed(const ConstMatrix& from, float* to, std::size_t stride, float* plain) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    Rows(from, rows, plain, padded(cols));
    Transpose(plain, padded(cols), rows, cols, to, stride);
    for (std::size_t c = 0; c < cols; ++c) {
      std::fill(to + c * stride + rows, to + (c + 1) * stride, 0.0F);
    }
  }
  static float Exponentiate(float* row, std::size_t cols, float scale) {
    return ExponentiateRow(ExactExponential(), row, cols, scale);
  }
  /// The exponentials of a row of scores as a left side, which here take the scores' place.
  static float ExponentiateTo(float* row, std::size_t cols, float scale, float*) {
    return Exponentiate(row, cols, scale);
  }
  /// Steps from one row of a tile of scores to the next, as a left side.
  static std::size_t TileStride(std::size_t cols) { return cols; }
  /// A tile of scores [rows, cols] as the left side of a product.
  static void Tile(const float* from, std::size_t rows, std::size_t cols, float* to) {
    std::copy_n(from, rows * cols, to);
  }
  /// The same tile as the left side of a product whose depth is its rows: as it lies.
  static LeftSide<float> TileAcross(const float* tile, std::size_t, std::size_t cols, float*) {
    return {tile, 1, cols};
  }
};

#if CLOZE_MAY_HAVE_BF16
/// The same for products of bf16, whose depth goes in pairs of neighbours.
struct PairLayout {
  using Element = std::uint32_t;
  static constexpr std::size_t kDepth = 2, kRowUnit = kRows, kStepUnit = 1, kAcrossSize = 1;

  struct Scope {};
  template <bool kAdd = false>
  static void Product(const LeftSide<Element>& a, const RightSide<Element>& b, const TileSize& size,
                      const TileOutput& c) {
    Multiply<PairSteps, kAdd>(a, b, size, c);
  }

  static const BFloat16* RowOf(const ConstMatrix& from, std::size_t row) {
    return reinterpret_cast<const BFloat16*>(from.row(static_cast<std::int64_t>(row)));
  }
  static void Rows(const ConstMatrix& from, std::size_t rows, std::uint32_t* to,
                   std::size_t stride) {
    const auto count = static_cast<std::size_t>(from.rows);
    for (std::size_t r = 0; r < count; ++r) {
      std::memcpy(to + r * stride, RowOf(from, r),
                  static_cast<std::size_t>(from.cols) * sizeof(BFloat16));
    }
    std::fill(to + count * stride, to + rows * stride, 0U);
  }
  static void Across(const ConstMatrix& from, std::uint32_t* to, std::size_t stride) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols);
    std::size_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      PairRows(RowOf(from, r), RowOf(from, r + 1), cols, to + r / 2 * stride);
      std::fill(to + r / 2 * stride + cols, to + (r / 2 + 1) * stride, 0U);
    }
    if (r == rows) return;
    auto* last = to + r / 2 * stride;
    for (std::size_t c = 0; c < cols; ++c) last[c] = RowOf(from, r)[c].bits;
    std::fill(last + cols, last + stride, 0U);
  }
  static void Transposed(const ConstMatrix& from, std::uint32_t* to, std::size_t stride,
                         std::uint32_t*) {
    const auto rows = static_cast<std::size_t>(from.rows);
    const auto cols = static_cast<std::size_t>(from.cols) / 2;
    Transpose(reinterpret_cast<const std::uint32_t*>(from.data),
              static_cast<std::size_t>(from.stride) / 2, rows, cols, to, stride);
    for (std::size_t c = 0; c < cols; ++c) {
      std::fill(to + c * stride + rows, to + (c + 1) * stride, 0U);
    }
  }
  static float Exponentiate(float* row, std::size_t cols, float scale) {
    return ExponentiateRow(RoundedExponential(), row, cols, scale);
  }
  /// The scores stay as they are.
  static float ExponentiateTo(const float* row, std::size_t cols, float scale, std::uint32_t* to) {
    return ExponentiateRowRounded(row, cols, scale, reinterpret_cast<BFloat16*>(to));
  }
  static std::size_t TileStride(std::size_t cols) { return cols / kDepth; }
  static void Tile(const float* from, std::size_t rows, std::size_t cols, std::uint32_t* to) {
    StoreRounded(from, rows * cols, reinterpret_cast<BFloat16*>(to));
  }
  static LeftSide<Element> TileAcross(const std::uint32_t* tile, std::size_t rows, std::size_t cols,
                                      std::uint32_t* to) {
    const auto* values = reinterpret_cast<const BFloat16*>(tile);
    for (std::size_t r = 0; r < rows; r += 2) {
      PairRows(values + r * cols, values + (r + 1) * cols, cols, to + r / 2 * cols);
    }
    return {to, 1, cols};
  }
};

/// The same for products on AMX's tiles: whole tiles of rows and of steps, zeros where there is
/// nothing. Its columns are whole vectors, which are as wide as a tile.
struct TileLayout {
  using Element = std::uint32_t;
  static constexpr std::size_t kDepth = 2, kRowUnit = amx::kRows, kStepUnit = amx::kDepth;
  static constexpr std::size_t kAcrossSize = 2;

  struct Scope {
    amx::Tiles tiles;
  };
  template <bool kAdd = false>
  static void Product(const LeftSide<Element>& a, const RightSide<Element>& b, const TileSize& size,
                      const TileOutput& c) {
    amx::multiply({a.data, a.row_stride}, {b.data, b.stride}, {size.rows, size.depth, size.cols},
                  c.data, c.stride, kAdd);
  }

  static void Rows(const ConstMatrix& from, std::size_t rows, std::uint32_t* to,
                   std::size_t stride) {
    PairLayout::Rows(from, rows, to, stride);
    const auto steps = static_cast<std::size_t>(from.cols) / kDepth;
    const std::size_t whole = RoundUp(steps, kStepUnit);
    if (whole == steps) return;
    for (std::size_t r = 0; r < static_cast<std::size_t>(from.rows); ++r) {
      std::fill(to + r * stride + steps, to + r * stride + whole, 0U);
    }
  }
  static void Across(const ConstMatrix& from, std::uint32_t* to, std::size_t stride) {
    PairLayout::Across(from, to, stride);
    const std::size_t steps = (static_cast<std::size_t>(from.rows) + 1) / kDepth;
    std::fill(to + steps * stride, to + RoundUp(steps, kStepUnit) * stride, 0U);
  }
  static void Transposed(const ConstMatrix& from, std::uint32_t* to, std::size_t stride,
                         std::uint32_t* plain) {
    PairLayout::Transposed(from, to, stride, plain);
    const std::size_t steps = static_cast<std::size_t>(from.cols) / kDepth;
    std::fill(to + steps * stride, to + RoundUp(steps, kStepUnit) * stride, 0U);
  }
  static float Exponentiate(float* row, std::size_t cols, float scale) {
    return PairLayout::Exponentiate(row, cols, scale);
  }
  static float ExponentiateTo(const float* row, std::size_t cols, float scale, std::uint32_t* to) {
    const std::size_t whole = padded(cols);
    std::fill(to + whole / kDepth, to + TileStride(whole), 0U);
    return PairLayout::ExponentiateTo(row, cols, scale, to);
  }
  static std::size_t TileStride(std::size_t cols) {
    return RoundUp((cols + 1) / kDepth, kStepUnit);
  }
  static void Tile(const float* from, std::size_t rows, std::size_t cols, std::uint32_t* to) {
    const std::size_t stride = TileStride(cols), used = cols / kDepth;
    for (std::size_t r = 0; r < rows; ++r) {
      std::uint32_t* const row = to + r * stride;
      StoreRounded(from + r * cols, cols, reinterpret_cast<BFloat16*>(row));
      std::fill(row + used, row + stride, 0U);
    }
  }
  /// Tiles have the left side's depth along its rows: the tile is transposed, by way of `to`'s half.
  static LeftSide<Element> TileAcross(const std::uint32_t* tile, std::size_t rows, std::size_t cols,
                                      std::uint32_t* to) {
    const std::size_t stride = TileStride(cols), steps = rows / kDepth;
    const std::size_t whole = RoundUp(steps, kStepUnit);
    std::uint32_t* const pairs = to + cols * whole;
    for (std::size_t step = 0; step < steps; ++step) {
      const auto* first = reinterpret_cast<const BFloat16*>(tile + 2 * step * stride);
      const auto* second = reinterpret_cast<const BFloat16*>(tile + (2 * step + 1) * stride);
      PairRows(first, second, cols, pairs + step * cols);
    }
    Transpose(pairs, cols, steps, cols, to, whole);
    for (std::size_t c = 0; whole > steps && c < cols; ++c) {
      std::fill(to + c * whole + steps, to + (c + 1) * whole, 0U);
    }
    return {to, whole, 1};
  }
};
#endif

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
