/// \file
/// ggml's types of tensors, and the values of quantized blocks.
///
/// A block is a row's next 32 or 256 values: one or two half-precision scales and small integers q.
/// Values are d·q (Q4_0, Q5_0, Q8_0, Q6_K), or d·q + m (Q4_1, Q5_1), or d·s·q - m·t (Q4_K, Q5_K), s and
/// t being six-bit scales of 32 values. (ggml's src/ggml-quants.c; PyPI's gguf has the same in NumPy.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cloze/tensor.h"

namespace cloze {

/// The types that Cloze reads, by ggml's numbers.
enum class GgmlType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

/// The type of this number, if Cloze reads it.
[[nodiscard]] std::optional<GgmlType> ggml_type(std::uint32_t number);
/// "Q4_K", for types that are not read too; "42" where the number is not known.
[[nodiscard]] std::string name_of_ggml_type(std::uint32_t number);
/// "F32, F16, ...": all that are read.
[[nodiscard]] std::string names_of_ggml_types();

/// The floating-point type that the elements are stored as; nothing for quantized ones.
[[nodiscard]] std::optional<DType> dtype_of_ggml(GgmlType type);

/// How many values a block has, and how many bytes: 1 and the element's size where not quantized.
struct GgmlBlock {
  std::size_t values, bytes;
};
[[nodiscard]] GgmlBlock block_of(GgmlType type);

/// The values of whole blocks of a quantized type: `values` has room for exactly so many. Throws
/// ArgumentError where the sizes differ, or the type is not quantized.
void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> values);

}  // namespace cloze
