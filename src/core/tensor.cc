#include "cloze/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cloze/error.h"

namespace cloze {
namespace {

constexpr std::size_t kAlignment = 64;

struct AlignedDelete {
  void operator()(std::byte* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kAlignment});
  }
};

std::int64_t count_of(const Shape& shape) {
  std::int64_t count = 1;
  for (const auto size : shape) {
    if (size < 0 || (size > 0 && count > std::numeric_limits<std::int64_t>::max() / 16 / size)) {
      throw ArgumentError(fmt::format("{} is not a shape that memory can hold", to_string(shape)));
    }
    count *= size;
  }
  return count;
}

template <class From, class To>
void convert(const std::byte* from, std::byte* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    From source;  // copied bytewise: mapped files give no alignment
    std::memcpy(&source, from + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    To target;
    if constexpr (std::is_arithmetic_v<To>) {
      if constexpr (std::is_arithmetic_v<From>) {
        target = static_cast<To>(source);
      } else {
        target = static_cast<To>(static_cast<float>(source));
      }
    } else {
      target = To::from(static_cast<float>(source));
    }
    std::memcpy(to + static_cast<std::size_t>(i) * sizeof(To), &target, sizeof(To));
  }
}

template <class From>
void convert_from(const std::byte* from, DType dtype, std::byte* to, std::int64_t count) {
  switch (dtype) {
    case DType::f32:
      return convert<From, float>(from, to, count);
    case DType::f64:
      return convert<From, double>(from, to, count);
    case DType::f16:
      return convert<From, Float16>(from, to, count);
    case DType::bf16:
      return convert<From, BFloat16>(from, to, count);
    default:
      throw ArgumentError(fmt::format("cannot convert a tensor to {}", name_of(dtype)));
  }
}

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  throw ArgumentError("not a dtype");
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::i16:
      return "i16";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
    case DType::boolean:
      return "bool";
  }
  throw ArgumentError("not a dtype");
}

BFloat16 BFloat16::from(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  const std::uint32_t rounding = 0x7FFFU + ((bits >> 16U) & 1U);
  return {static_cast<std::uint16_t>((bits + rounding) >> 16U)};
}

BFloat16::operator float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

Float16 Float16::from(float value) {
  const auto single = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((single >> 16U) & 0x8000U);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(sign | 0x7E00U)};
  if (magnitude >= 65520.0F) return {static_cast<std::uint16_t>(sign | 0x7C00U)};
  if (magnitude < 0x1p-14F) {  // subnormal half: the significand counts units of 2^-24
    const auto units = static_cast<std::uint16_t>(std::nearbyint(magnitude * 0x1p24F));
    return {static_cast<std::uint16_t>(sign | units)};
  }
  const auto bits = std::bit_cast<std::uint32_t>(magnitude);
  const std::uint32_t rounded = bits + 0xFFFU + ((bits >> 13U) & 1U);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13U))};
}

Float16::operator float() const {
  const std::uint32_t sign = (bits & 0x8000U) << 16U, magnitude = bits & 0x7FFFU;
  if (magnitude < 0x400U) {  // subnormal: units of 2^-24
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  // The exponent moves from bias 15 to 127; infinity's and NaN's stays the largest.
  const std::uint32_t bias = magnitude >= 0x7C00U ? 0x70000000U : 0x38000000U;
  return std::bit_cast<float>(sign | ((magnitude << 13U) + bias));
}

std::string to_string(const Shape& shape) {
  constexpr std::size_t kMost = 16;  // damaged files state shapes of any length
  const auto shown = std::span(shape).first(std::min(shape.size(), kMost));
  return fmt::format("[{}{}]", fmt::join(shown, ", "), shape.size() > kMost ? ", ..." : "");
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.numel_ = count_of(shape);
  tensor.shape_ = std::move(shape);
  const auto size = static_cast<std::size_t>(tensor.numel_) * size_of(dtype);
  const std::size_t padded = (size + kAlignment - 1) / kAlignment * kAlignment;
  auto* memory = new (std::align_val_t{kAlignment}) std::byte[padded];
  std::memset(memory, 0, padded);
  tensor.storage_ = std::shared_ptr<std::byte>(memory, AlignedDelete{});
  tensor.data_ = memory;
  tensor.writable_ = true;
  return tensor;
}

Tensor Tensor::view(DType dtype, Shape shape, std::span<const std::byte> bytes,
                    std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.numel_ = count_of(shape);
  tensor.shape_ = std::move(shape);
  if (static_cast<std::size_t>(tensor.numel_) * size_of(dtype) != bytes.size()) {
    throw ArgumentError(fmt::format("{} elements of {} in shape {} do not fill {} bytes",
                                    tensor.numel_, name_of(dtype), to_string(tensor.shape_),
                                    bytes.size()));
  }
  tensor.data_ = const_cast<std::byte*>(bytes.data());  // never written: writable_ stays false
  tensor.storage_ = std::move(owner);
  return tensor;
}

std::int64_t Tensor::dim(int index) const {
  const int rank = static_cast<int>(shape_.size());
  const int at = index < 0 ? index + rank : index;
  if (at < 0 || at >= rank) {
    throw ArgumentError(
        fmt::format("dimension {} of a tensor of shape {}", index, to_string(shape_)));
  }
  return shape_[static_cast<std::size_t>(at)];
}

std::span<const std::byte> Tensor::bytes() const& {
  return {data_, static_cast<std::size_t>(numel_) * size_of(dtype_)};
}

std::span<std::byte> Tensor::mutable_bytes() & {
  if (!writable_ && numel_ > 0) throw ArgumentError("this tensor is a read-only view");
  return {data_, static_cast<std::size_t>(numel_) * size_of(dtype_)};
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (shape_.empty() || begin < 0 || end < begin || end > shape_[0]) {
    throw ArgumentError(
        fmt::format("rows {} to {} of a tensor of shape {}", begin, end, to_string(shape_)));
  }
  Tensor part = *this;
  const std::int64_t row = shape_[0] == 0 ? 0 : numel_ / shape_[0];
  part.shape_[0] = end - begin;
  part.numel_ = row * (end - begin);
  if (data_ != nullptr)
    part.data_ = data_ + static_cast<std::size_t>(begin * row) * size_of(dtype_);
  return part;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (count_of(shape) != numel_) {
    throw ArgumentError(fmt::format("a tensor of shape {} cannot take the shape {}",
                                    to_string(shape_), to_string(shape)));
  }
  Tensor other = *this;
  other.shape_ = std::move(shape);
  return other;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  auto converted = zeros(dtype, shape_);
  switch (dtype_) {
    case DType::f32:
      convert_from<float>(data_, dtype, converted.data_, numel_);
      break;
    case DType::f64:
      convert_from<double>(data_, dtype, converted.data_, numel_);
      break;
    case DType::f16:
      convert_from<Float16>(data_, dtype, converted.data_, numel_);
      break;
    case DType::bf16:
      convert_from<BFloat16>(data_, dtype, converted.data_, numel_);
      break;
    default:
      throw ArgumentError(
          fmt::format("cannot convert a tensor of {} to {}", name_of(dtype_), name_of(dtype)));
  }
  return converted;
}

void Tensor::require(DType dtype, std::size_t alignment) const {
  if (dtype != dtype_) {
    throw ArgumentError(
        fmt::format("a tensor of {} was read as {}", name_of(dtype_), name_of(dtype)));
  }
  if (reinterpret_cast<std::uintptr_t>(data_) % alignment != 0) {
    throw ArgumentError("this tensor's bytes are not aligned to its elements; copy it first");
  }
}

}  // namespace cloze
