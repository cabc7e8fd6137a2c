/// \file
/// GGUF, the files of ggml and llama.cpp: named values, and tensors that may be quantized by block.
/// Versions 2 and 3, little-endian. (The format: ggml's docs/gguf.md.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cloze/tensor.h"
#include "formats/gguf/dequantize.h"

namespace cloze {

/// A value of the file's header. Integers and numbers of all widths are one type each; arrays of
/// both are arrays of numbers. (An unsigned integer above 2^63 is refused.)
using GgufValue = std::variant<std::int64_t, double, bool, std::string, std::vector<std::string>,
                               std::vector<double>>;

/// A tensor of the file, checked to lie in it.
struct GgufTensor {
  GgmlType type = GgmlType::f32;
  Shape shape;                       ///< outermost dimension first, as everywhere in Cloze
  std::span<const std::byte> bytes;  ///< in the file
};

/// The header of a file. Tensors are views of the bytes that it was parsed from.
struct GgufFile {
  std::string origin;  ///< begins messages
  std::map<std::string, GgufValue, std::less<>> values;
  std::map<std::string, GgufTensor, std::less<>> tensors;

  /// The value `key` as a T; nothing where it is absent. An integer is taken for a number too.
  /// Throws FormatError where it is of another type.
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view key) const;
  /// The same, which must be there: throws FormatError otherwise.
  template <class T>
  [[nodiscard]] T at(std::string_view key) const;

  /// A tensor's elements: f32, f16 and bf16 as views of the file, which `owner` keeps alive;
  /// quantized ones as new f32. Throws FormatError where there is none of this name.
  [[nodiscard]] Tensor tensor(std::string_view name, std::shared_ptr<const void> owner) const;
};

/// Whether these are the first bytes of such a file.
[[nodiscard]] bool is_gguf(std::string_view bytes);

/// Parses a file. All counts, sizes and offsets are checked before they are used. Throws FormatError,
/// which names the byte or the tensor, for what is damaged, of another version, big-endian, or has
/// a tensor of a type that Cloze does not read.
[[nodiscard]] GgufFile parse_gguf(std::span<const std::byte> bytes, const std::string& origin);

}  // namespace cloze
