#include "python/src/arrays.h"

#include <utility>

namespace cloze::python {
namespace {

template <class T>
nb::object numpy_view(Tensor* tensor, const nb::capsule& owner, bool writable) {
  const std::vector<std::size_t> shape(tensor->shape().begin(), tensor->shape().end());
  const auto* bytes = tensor->bytes().data();
  if (writable) {
    return nb::cast(nb::ndarray<nb::numpy, T>(const_cast<std::byte*>(bytes), shape.size(),
                                              shape.data(), owner));
  }
  return nb::cast(nb::ndarray<nb::numpy, const T>(bytes, shape.size(), shape.data(), owner));
}

}  // namespace

nb::object array_of(Tensor tensor, bool writable) {
  if (tensor.dtype() == DType::bf16) tensor = tensor.to(DType::f32);
  auto* held = new Tensor(std::move(tensor));  // NOLINT: the capsule owns it
  const nb::capsule owner(
      held, [](void* kept) noexcept { delete static_cast<Tensor*>(kept); });  // NOLINT
  switch (held->dtype()) {
    case DType::f32:
      return numpy_view<float>(held, owner, writable);
    case DType::f64:
      return numpy_view<double>(held, owner, writable);
    case DType::i8:
      return numpy_view<std::int8_t>(held, owner, writable);
    case DType::u8:
      return numpy_view<std::uint8_t>(held, owner, writable);
    case DType::i16:
      return numpy_view<std::int16_t>(held, owner, writable);
    case DType::i32:
      return numpy_view<std::int32_t>(held, owner, writable);
    case DType::i64:
      return numpy_view<std::int64_t>(held, owner, writable);
    case DType::boolean:
      return numpy_view<bool>(held, owner, writable);
    // nanobind has no half: NumPy sees the same bytes as one.
    case DType::f16:
      return numpy_view<std::uint16_t>(held, owner, writable).attr("view")("float16");
    case DType::bf16:
      break;
  }
  return nb::none();
}

Tensor view_of(const Floats& array) {
  const Shape shape{static_cast<std::int64_t>(array.shape(0)),
                    static_cast<std::int64_t>(array.shape(1))};
  return Tensor::view(DType::f32, shape, std::as_bytes(std::span(array.data(), array.size())),
                      nullptr);
}

}  // namespace cloze::python
