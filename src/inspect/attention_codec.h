/// \file
/// Attention small enough for a page: quantised, small values dropped, deflated. A BERT-base looks
/// at 512 tokens with 37.7 million probabilities, 151 MB as f32; most of them are next to nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cloze/tensor.h"

namespace cloze {

/// What the page needs to know to read `deflated`, and what a reader must know about it.
///
/// The deflated (zlib) bytes are three parts, one after another:
///   counts  u16 little endian [layers · heads · tokens]: values kept of each query's row
///   gaps    u8 for each value: columns between it and the value before (the row's begin); 255
///           means that 255 columns more follow, and the gap goes on in the next byte
///   levels  u8 for each value: p = float whose bits are 0x3F800000 - (level << (23 - mantissa))
/// The greatest value of a row is always kept. What was dropped of a row, 1 - Σ kept, is shown as
/// spread evenly over the row's other columns.
struct PackedAttention {
  std::int64_t layers = 0, heads = 0, tokens = 0;
  int mantissa = 4;         ///< bits: steps of at most 1 / 2^mantissa of a value
  double threshold = 0;     ///< values below were dropped, but for the greatest of a row
  double kept = 1;          ///< share of all attention that the kept values are
  std::int64_t values = 0;  ///< kept
  std::int64_t gap_bytes = 0;
  std::vector<std::byte> deflated = {};
};

/// Packs probabilities [heads, tokens, tokens] of each layer into at most about `budget` bytes.
[[nodiscard]] PackedAttention pack_attention(std::span<const Tensor> attentions,
                                             std::size_t budget);

/// The inverse, up to quantisation: [heads, tokens, tokens] of each layer. Throws FormatError for
/// bytes that are not what PackedAttention says.
[[nodiscard]] std::vector<Tensor> unpack_attention(const PackedAttention& packed);

/// zlib's format (RFC 1950).
[[nodiscard]] std::vector<std::byte> deflate_bytes(std::span<const std::byte> bytes);

}  // namespace cloze
