/// \file
/// Linear layers on AMX's tiles: a weight packed for them, and its product with rows, whose sums are
/// finished (scale, bias, epilogue, rounding) while they are in the first-level cache. oneDNN 2.6 has
/// such kernels too, at half the rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/arena.h"
#include "ops/activation.h"
#include "ops/cpu/quantize.h"
#include "ops/matrix.h"

namespace cloze::ops {

/// Whether weights for products of `compute` are packed in tiles on this machine.
[[nodiscard]] bool multiplies_on_tiles(DType compute);

/// A weight in tiles. Immutable; copies share.
class TileMatrix {
 public:
  /// Packs the transpose of `from` [n, k], as torch.nn.Linear stores weights: from f32 or bf16 for
  /// products of bf16, from i8 for those of int8.
  explicit TileMatrix(const ConstMatrix& from);

  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] std::int64_t depth() const { return k_; }
  /// Steps of depth, zeros at the end of the last.
  [[nodiscard]] std::size_t steps() const { return steps_; }
  /// The panel (ops/cpu/simd/amx.h) of the columns from `column` on, which is a multiple of 32.
  [[nodiscard]] const std::byte* panel(std::int64_t column) const;
  /// Bytes of a panel.
  [[nodiscard]] std::size_t panel_bytes() const;

 private:
  DType compute_;
  std::int64_t k_ = 0;
  std::size_t steps_ = 0;
  std::shared_ptr<std::byte> bytes_;
};

/// What turns the integer sums of an int8 product into numbers (ops/cpu/quantize.h).
struct QuantizedFactors {
  QuantizedRows x = {};
  const float* channel_scales = nullptr;  ///< [y.cols], as the next
  const std::int32_t* channel_sums = nullptr;
};

/// What multiply_tiles computes, on the calling thread.
struct TileProduct {
  ConstMatrix x;  ///< [rows, k] of the weight's dtype (u8 for int8)
  const TileMatrix& w;
  std::int64_t begin = 0;       ///< the first column of the weight: a multiple of 32
  const float* bias = nullptr;  ///< [y.cols]
  Epilogue epilogue = Epilogue::none;
  Matrix y;                       ///< [rows, columns from `begin` on] f32 or bf16
  QuantizedFactors factors = {};  ///< of int8
};

/// y = epilogue(x·w + bias). A row's bits do not depend on the other rows.
void multiply_tiles(const TileProduct& product, Arena& scratch);

}  // namespace cloze::ops
