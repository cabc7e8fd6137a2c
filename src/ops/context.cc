#include "ops/context.h"

#include <cstddef>

#include "ops/device.h"

namespace cloze::ops {

Context::Context() : Context(cpu()) {}

Context::Context(const Device& device)
    : device_(device),
      arena_([&device](std::size_t size) { return device.allocate(size); }),
      state_(device.make_state()) {}

Context::~Context() = default;

void Context::begin() {
  arena_.reset();
  state_->begin();
}

Matrix Context::matrix(DType dtype, std::int64_t rows, std::int64_t cols) {
  const auto size = static_cast<std::size_t>(rows * cols) * size_of(dtype);
  return {arena_.take_bytes(size), dtype, rows, cols, cols};
}

}  // namespace cloze::ops
