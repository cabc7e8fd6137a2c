/// \file
/// Arrays of NumPy and tensors of the library, without a copy where that can be.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <nanobind/ndarray.h>

#include "cloze/tensor.h"
#include "python/src/bind.h"

namespace cloze::python {

/// Row-major integers of an array that NumPy converts to int32 where it has another type.
using Integers = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// A matrix of f32.
using Floats = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

[[nodiscard]] inline std::span<const std::int32_t> values_of(const Integers& array) {
  return {array.data(), array.size()};
}

/// The tensor as an array, which keeps the tensor's storage alive: no copy. bf16, which NumPy does
/// not have, becomes f32; what is mapped from a file, and what others may read, is read-only.
[[nodiscard]] nb::object array_of(Tensor tensor, bool writable = true);

/// A vector as an array of its own: no copy.
template <class T>
[[nodiscard]] nb::object array_of(std::vector<T> values, std::vector<std::size_t> shape = {}) {
  auto* held = new std::vector<T>(std::move(values));  // NOLINT: the capsule owns it
  const nb::capsule owner(held, [](void* vector) noexcept {
    delete static_cast<std::vector<T>*>(vector);  // NOLINT
  });
  if (shape.empty()) shape.push_back(held->size());
  return nb::cast(nb::ndarray<nb::numpy, T>(held->data(), shape.size(), shape.data(), owner));
}

/// A tensor that looks into the array's memory, which must outlive it.
[[nodiscard]] Tensor view_of(const Floats& array);

}  // namespace cloze::python
