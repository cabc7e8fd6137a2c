/// \file
/// Dynamic int8: rows of activations to 8 bits and back. A row is x ≈ scale·(q - zero), q in [0,
/// 255], its range taken from the row itself; a weight's output channel is w ≈ scale·q, q in [-127,
/// 127]. Then x·w = scale_x·scale_w·(Σ q_x·q_w - zero·Σ q_w): the sums are exact integers. A scale
/// is a normal number, so that its inverse is finite; smaller values are off by less than it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/activation.h"
#include "ops/matrix.h"

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

/// What becomes of the integer sums of a product.
struct Dequantization {
  const std::int32_t* sums = nullptr;  ///< [rows, at least y.cols]
  std::int64_t stride = 0;             ///< from one row of sums to the next
  QuantizedRows x;
  const float* channel_scales = nullptr;       ///< [y.cols], of the weight, as the next two
  const std::int32_t* channel_sums = nullptr;  ///< QuantizedChannels::sums
  const float* bias = nullptr;
  Epilogue epilogue = Epilogue::none;
  Matrix y;  ///< [rows, cols] f32 or bf16
};

/// y = epilogue(scale_x·scale_w·(sums - zero·Σ q_w) + bias).
void dequantize_rows(const Dequantization& task);

/// Quantizes weights f32 [out_features, in_features] by output channel. `limit` is the largest
/// magnitude used: 127, or 63 where the machine's 8-bit product saturates at 16 bits.
[[nodiscard]] QuantizedChannels quantize_weights(std::span<const float> weights,
                                                 std::int64_t out_features, std::int32_t limit,
                                                 std::span<std::int8_t> to);

}  // namespace cloze::ops
