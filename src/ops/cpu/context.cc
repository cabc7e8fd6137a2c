#include "ops/context.h"

#include <cstddef>

#include "core/parallel.h"
#include "ops/cpu/device.h"

namespace cloze::ops {

Context::Context() : device_(std::make_unique<Device>()) {}
Context::~Context() = default;

void Context::begin() {
  arena_.reset();
  device_->prepare();
  device_->profiling = false;
}

Matrix Context::matrix(DType dtype, std::int64_t rows, std::int64_t cols) {
  const auto size = static_cast<std::size_t>(rows * cols) * size_of(dtype);
  return {arena_.take_bytes(size), dtype, rows, cols, cols};
}

Context::Device::Device() { prepare(); }

void Context::Device::prepare() {
  const auto wanted = static_cast<std::size_t>(num_threads());
  while (workers_.size() < wanted) workers_.push_back(std::make_unique<Worker>());
}

Worker& Context::Device::worker() { return *workers_.at(static_cast<std::size_t>(worker_index())); }

void parallel_tasks(Context& context, std::int64_t count, FunctionRef<void(std::int64_t)> body) {
  if (!in_parallel()) context.device().prepare();
  parallel_for(count, 1, body);
}

}  // namespace cloze::ops
