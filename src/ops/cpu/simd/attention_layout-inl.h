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
#include "ops/cpu/simd/attention_tile-inl.h"
#include "ops/cpu/simd/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace cloze::ops::HWY_NAMESPACE {

/// How operands lie for products whose depth goes in single f32 values. `Across` has the depth down
/// its rows, the others along them.
struct SingleLayout {
  using Steps = SingleSteps;
  static constexpr std::size_t kDepth = 1;  // values of a step

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
  /// A tile of scores as the left side of a product: to [rows, stride] = from.
  static void Tile(const float* from, std::size_t rows, std::size_t stride, float* to) {
    std::copy_n(from, rows * stride, to);
  }
  /// The same tile for a product whose depth is its rows: as it lies.
  static const float* TileAcross(const float* tile, std::size_t, std::size_t, float*) {
    return tile;
  }
};

#if CLOZE_MAY_HAVE_BF16
/// The same for products of bf16, whose depth goes in pairs of neighbours.
struct PairLayout {
  using Steps = PairSteps;
  static constexpr std::size_t kDepth = 2;

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
  static void Tile(const float* from, std::size_t rows, std::size_t stride, std::uint32_t* to) {
    StoreRounded(from, rows * stride, reinterpret_cast<BFloat16*>(to));
  }
  static const std::uint32_t* TileAcross(const std::uint32_t* tile, std::size_t rows,
                                         std::size_t stride, std::uint32_t* to) {
    const auto* values = reinterpret_cast<const BFloat16*>(tile);
    for (std::size_t r = 0; r < rows; r += 2) {
      PairRows(values + r * stride, values + (r + 1) * stride, stride, to + r / 2 * stride);
    }
    return to;
  }
};
#endif

}  // namespace cloze::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
