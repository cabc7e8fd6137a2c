/// \file
/// Tensors: typed, row-major views over shared storage. No gradients, no operations: those live in
/// the library's `ops`. A `Tensor` is cheap to copy and can own its memory, or look into memory
/// that something else owns, such as a mapped checkpoint.
///
/// **Copies share the bytes**, as those of a `std::shared_ptr` or of a tensor of PyTorch do:
/// writing through one is seen through all of them, and a copy of a `const Tensor` can be written
/// to. What must not change is made by `Tensor::view`, which is read-only for good.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)
namespace cloze {

/// Element types, named as safetensors names them in lower case.
enum class DType : std::uint8_t { f32, f16, bf16, f64, i8, u8, i16, i32, i64, boolean };

/// Bytes of one element.
[[nodiscard]] std::size_t size_of(DType dtype);

/// "f32", "bf16", ... (`boolean` is "bool").
[[nodiscard]] std::string_view name_of(DType dtype);

/// Storage of a brain float: the upper half of an IEEE single.
struct BFloat16 {
  std::uint16_t bits = 0;
  [[nodiscard]] static BFloat16 from(float value);  ///< rounds to nearest even, keeps NaN a NaN
  explicit operator float() const;
};

/// Storage of an IEEE half.
struct Float16 {
  std::uint16_t bits = 0;
  [[nodiscard]] static Float16 from(
      float value);  ///< rounds to nearest even, overflows to infinity
  explicit operator float() const;
};

/// Maps a C++ element type to its `DType`: `dtype_of<float> == DType::f32`.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "not an element type of cloze::Tensor");
  return DType::f32;
}();
/// \cond
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<Float16> = DType::f16;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::i8;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<std::int16_t> = DType::i16;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::i64;
/// \endcond

/// Sizes of the dimensions, outermost first.
using Shape = std::vector<std::int64_t>;

/// "[2, 384]"; of more than 16 dimensions the first 16 and "...".
[[nodiscard]] std::string to_string(const Shape& shape);

/// A typed array of any number of dimensions, elements in row-major order.
class Tensor {
 public:
  /// The absent tensor: no elements, shape [0].
  Tensor() = default;

  /// New storage, 64-byte aligned, all bits zero. Throws ArgumentError for a negative dimension.
  [[nodiscard]] static Tensor zeros(DType dtype, Shape shape);

  /// New storage holding a copy of `values`, whose count must be the shape's.
  template <class T>
  [[nodiscard]] static Tensor from(Shape shape, std::span<const T> values);

  /// A read-only view of `bytes`, which `owner` keeps alive. Throws ArgumentError when the size is
  /// not that of dtype and shape. The bytes need not be aligned to the element (mapped files).
  [[nodiscard]] static Tensor view(DType dtype, Shape shape, std::span<const std::byte> bytes,
                                   std::shared_ptr<const void> owner);

  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// Size of one dimension; negative counts from the last. Throws ArgumentError out of range.
  [[nodiscard]] std::int64_t dim(int index) const;
  [[nodiscard]] std::int64_t numel() const { return numel_; }
  [[nodiscard]] bool empty() const { return numel_ == 0; }

  // The spans below are valid as long as a tensor keeps the storage, and so cannot be taken from a
  // temporary: give the tensor a name first.

  [[nodiscard]] std::span<const std::byte> bytes() const&;
  [[nodiscard]] std::span<std::byte> mutable_bytes() &;  ///< throws ArgumentError if read-only

  /// The elements. Throws ArgumentError when T is not the tensor's dtype, or the view is not
  /// aligned.
  template <class T>
  [[nodiscard]] std::span<const T> values() const&;
  template <class T>
  [[nodiscard]] std::span<T> mutable_values() &;

  /// \cond
  std::span<const std::byte> bytes() const&& = delete;
  std::span<std::byte> mutable_bytes() && = delete;
  template <class T>
  std::span<const T> values() const&& = delete;
  template <class T>
  std::span<T> mutable_values() && = delete;
  /// \endcond

  /// The rows [begin, end) of the first dimension, sharing storage.
  [[nodiscard]] Tensor rows(std::int64_t begin, std::int64_t end) const;

  /// The same elements under another shape of equal count, sharing storage.
  [[nodiscard]] Tensor reshaped(Shape shape) const;

  /// A copy in another floating-point type (f32, f16, bf16, f64); the tensor itself when it has
  /// that type already. Throws ArgumentError for integer types.
  [[nodiscard]] Tensor to(DType dtype) const;

 private:
  void require(DType dtype, std::size_t alignment) const;

  DType dtype_ = DType::f32;
  Shape shape_{0};
  std::int64_t numel_ = 0;
  std::byte* data_ = nullptr;
  bool writable_ = false;
  std::shared_ptr<const void> storage_;
};

template <class T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  const auto source = view(dtype_of<T>, std::move(shape), bytes, nullptr);  // checks the count
  auto tensor = zeros(source.dtype(), source.shape());
  std::copy(bytes.begin(), bytes.end(), tensor.data_);
  return tensor;
}

template <class T>
std::span<const T> Tensor::values() const& {
  require(dtype_of<T>, alignof(T));
  return {reinterpret_cast<const T*>(data_), static_cast<std::size_t>(numel_)};
}

template <class T>
std::span<T> Tensor::mutable_values() & {
  require(dtype_of<T>, alignof(T));
  const auto writable = mutable_bytes();
  return {reinterpret_cast<T*>(writable.data()), static_cast<std::size_t>(numel_)};
}

}  // namespace cloze

#pragma GCC visibility pop
