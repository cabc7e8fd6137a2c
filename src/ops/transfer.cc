#include "ops/transfer.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include "cloze/error.h"
#include "ops/device.h"

namespace cloze::ops {
namespace {

std::span<float> floats_of(Matrix matrix) {
  return {reinterpret_cast<float*>(matrix.data),
          static_cast<std::size_t>(matrix.rows * matrix.cols)};
}

std::span<std::byte> bytes_of(Matrix matrix) {
  return {matrix.data, static_cast<std::size_t>(matrix.rows * matrix.cols) * size_of(matrix.dtype)};
}

/// Row by row where the rows do not adjoin.
void copy_out(const Device& device, ConstMatrix from, std::byte* to) {
  const std::size_t row = static_cast<std::size_t>(from.cols) * size_of(from.dtype);
  if (from.stride == from.cols) {
    device.copy_out(from.data, {to, row * static_cast<std::size_t>(from.rows)});
    return;
  }
  for (std::int64_t r = 0; r < from.rows; ++r) {
    device.copy_out(from.row(r), {to + static_cast<std::size_t>(r) * row, row});
  }
}

}  // namespace

template <class T>
Block<T>::Block(const Device& device, std::size_t count) : count_(count) {
  const auto bytes = device.allocate(count * sizeof(T));
  values_ = std::shared_ptr<T>(bytes, reinterpret_cast<T*>(bytes.get()));
}

template class Block<float>;
template class Block<BFloat16>;

Tensor resident(const Device& device, const Tensor& tensor) {
  if (device.shares_host_memory() || tensor.empty()) return tensor;
  const auto bytes = tensor.bytes();
  auto memory = device.allocate(bytes.size());
  device.copy_in(bytes, memory.get());
  return Tensor::view(tensor.dtype(), tensor.shape(), {memory.get(), bytes.size()}, memory);
}

ConstMatrix to_device(Context& context, const Tensor& tensor) {
  const auto host = matrix_of(tensor);
  if (context.device().shares_host_memory() || tensor.empty()) return host;
  const auto copy = context.matrix(tensor.dtype(), host.rows, host.cols);
  context.device().copy_in(tensor.bytes(), copy.data);
  return copy;
}

Tensor to_host(Context& context, ConstMatrix matrix) {
  auto tensor = Tensor::zeros(matrix.dtype, {matrix.rows, matrix.cols});
  if (!tensor.empty()) copy_out(context.device(), matrix, tensor.mutable_bytes().data());
  return tensor;
}

Tensor to_host(const Device& device, std::span<const float> values, Shape shape) {
  const auto bytes = std::as_bytes(values);
  if (device.shares_host_memory()) {
    return Tensor::view(DType::f32, std::move(shape), bytes, nullptr);
  }
  auto tensor = Tensor::zeros(DType::f32, std::move(shape));
  device.copy_out(bytes.data(), tensor.mutable_bytes());
  return tensor;
}

void copy_in(const Device& device, std::span<const float> from, std::span<float> to) {
  device.copy_in(std::as_bytes(from), std::as_writable_bytes(to).data());
}

void fill_zero(Context& context, Matrix matrix) {
  if (matrix.stride != matrix.cols) throw ArgumentError("only dense matrices are set to zero");
  context.device().fill_zero(bytes_of(matrix));
}

HostMatrix::HostMatrix(Context& context, Matrix matrix)
    : context_(context), device_(matrix), host_(matrix) {
  if (context.device().shares_host_memory() || matrix.data == nullptr) return;
  copy_ = to_host(context, matrix);
  host_ = matrix_of(copy_);
}

void HostMatrix::store() {
  if (copy_.empty()) return;
  const auto row = static_cast<std::size_t>(host_.cols) * size_of(host_.dtype);
  for (std::int64_t r = 0; r < host_.rows; ++r) {
    context_.device().copy_in({host_.row(r), row}, device_.row(r));
  }
}

Output::Output(Context& context, Shape shape)
    : context_(context), tensor_(Tensor::zeros(DType::f32, std::move(shape))) {
  matrix_ = matrix_of(tensor_);
  if (context.device().shares_host_memory() || tensor_.empty()) return;
  matrix_ = context.matrix(DType::f32, matrix_.rows, matrix_.cols);
}

std::span<float> Output::values() const { return floats_of(matrix_); }

Tensor Output::take() {
  const auto bytes = tensor_.mutable_bytes();
  if (matrix_.data != bytes.data()) context_.device().copy_out(matrix_.data, bytes);
  return std::move(tensor_);
}

}  // namespace cloze::ops
