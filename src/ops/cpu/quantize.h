/// \file
/// Dynamic int8: rows of activations to 8 bits and back. A row is x ≈ scale·(q - zero), q in [0,
/// 255], its range taken from the row itself; a weight's output channel is w ≈ scale·q, q in [-127,
/// 127]. Then x·w = scale_x·scale_w·(Σ q_x·q_w - zero·Σ q_w): the sums are exact integers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/ops.h"

namespace cloze::ops {

/// Rows of activations in 8 bits, [rows, cols] dense.
struct QuantizedRows {
  std::uint8_t* values = nullptr;
  float* scales = nullptr;        ///< [rows]
  std::int32_t* zeros = nullptr;  ///< [rows]
};

/// Quantizes each row of x (f32 or bf16) to its own range, which always contains 0. `row` is
/// scratch of x.cols + 64 floats.
void quantize_rows(ConstMatrix x, float* row, const QuantizedRows& to);

/// What turns integer sums into outputs, one element an output channel.
struct QuantizedChannels {
  std::vector<float> scales;
  std::vector<std::int32_t> sums;  ///< of the channel's weights
};

/// Integer sums [rows, at least y.cols], neighbouring rows `stride` apart.
struct IntegerSums {
  const std::int32_t* values = nullptr;
  std::int64_t stride = 0;
};

/// y [rows, cols] = epilogue(scale_x·scale_w·(sums - zero·Σ q_w) + bias), for the channels
/// [begin, begin + y.cols).
void dequantize_rows(const IntegerSums& sums, const QuantizedRows& x,
                     const QuantizedChannels& channels, const float* bias, std::int64_t begin,
                     Epilogue epilogue, Matrix y);

/// Quantizes weights f32 [out_features, in_features] by output channel. `limit` is the largest
/// magnitude used: 127, or 63 where the machine's 8-bit product saturates at 16 bits.
[[nodiscard]] QuantizedChannels quantize_weights(std::span<const float> weights,
                                                 std::int64_t out_features, std::int32_t limit,
                                                 std::span<std::int8_t> to);

}  // namespace cloze::ops
