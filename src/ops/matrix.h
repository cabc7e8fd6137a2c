/// \file
/// The operands of operations: row-major matrices in a device's memory. Views, never owners.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cloze/tensor.h"

namespace cloze::ops {

/// [rows, cols] elements of `dtype`; neighbouring rows lie `stride` elements apart.
template <class Byte>
struct BasicMatrix {
  Byte* data = nullptr;
  DType dtype = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  [[nodiscard]] Byte* row(std::int64_t index) const {
    return data + index * stride * static_cast<std::int64_t>(size_of(dtype));
  }
  /// The rows [begin, begin + count).
  [[nodiscard]] BasicMatrix rows_from(std::int64_t begin, std::int64_t count) const {
    return {row(begin), dtype, count, cols, stride};
  }
  /// The columns [begin, begin + count).
  [[nodiscard]] BasicMatrix cols_from(std::int64_t begin, std::int64_t count) const {
    return {data + begin * static_cast<std::int64_t>(size_of(dtype)), dtype, rows, count, stride};
  }
  operator BasicMatrix<const std::byte>()
      const {  // NOLINT(google-explicit-constructor): as T* to const T*
    return {data, dtype, rows, cols, stride};
  }
};

using Matrix = BasicMatrix<std::byte>;
using ConstMatrix = BasicMatrix<const std::byte>;

/// A dense matrix over a tensor's elements: [dim 0, all others].
[[nodiscard]] inline ConstMatrix matrix_of(const Tensor& tensor) {
  const std::int64_t rows = tensor.dim(0);
  const std::int64_t cols = rows == 0 ? 0 : tensor.numel() / rows;
  return {tensor.bytes().data(), tensor.dtype(), rows, cols, cols};
}
[[nodiscard]] inline Matrix matrix_of(Tensor& tensor) {
  const std::int64_t rows = tensor.dim(0);
  const std::int64_t cols = rows == 0 ? 0 : tensor.numel() / rows;
  return {tensor.mutable_bytes().data(), tensor.dtype(), rows, cols, cols};
}

}  // namespace cloze::ops
