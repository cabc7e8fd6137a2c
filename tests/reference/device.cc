// The reference device's memory, its counters, and products.
#include "reference/device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "reference/device_operation.h"
#include "reference/device_rows.h"
#include "reference/training.h"

namespace cloze::reference {
namespace {

/// A weight [out_features, in_features] and its bias [out_features], f32 in the device's memory.
struct PackedWeight final : ops::LinearWeight::Packed {
  std::shared_ptr<std::byte> memory;
  ops::ConstMatrix weight;
  std::span<const float> bias;
};

/// The tensors' values one after another.
std::vector<float> values_of(std::span<const Tensor> tensors) {
  std::vector<float> values;
  for (const auto& tensor : tensors) {
    const auto single = tensor.to(DType::f32);
    std::vector<float> part(static_cast<std::size_t>(single.numel()));
    if (!part.empty()) std::memcpy(part.data(), single.bytes().data(), single.bytes().size());
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

Matrix read(const Operation& operation, const ops::Factor& factor, std::string_view operand) {
  auto values = operation.read(factor.matrix, operand);
  return factor.transposed ? transposed(values) : values;
}

/// a·b, whose operands are read and held against each other and c.
Matrix multiplied(const Operation& operation, const ops::Factor& a, const ops::Factor& b,
                  const ops::Matrix& c) {
  operation.require(a.matrix.dtype == b.matrix.dtype, "a and b are of two dtypes");
  operation.require(c.dtype == DType::f32 || c.dtype == a.matrix.dtype, "c is of another dtype");
  operation.require(
      a.cols() == b.rows() && a.cols() > 0 && a.rows() == c.rows && b.cols() == c.cols,
      "a, b and c do not fit");
  return product(read(operation, a, "a"), read(operation, b, "b"));
}

}  // namespace

double Device::gemm_rate(std::span<const ops::GemmShape> shapes, DType compute, int repeats) const {
  if (!accelerates(compute)) throw ArgumentError("the reference device multiplies f32 alone");
  double operations = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (const auto& shape : shapes) {
      const Matrix a(static_cast<std::size_t>(shape.m), static_cast<std::size_t>(shape.k));
      const Matrix b(static_cast<std::size_t>(shape.k), static_cast<std::size_t>(shape.n));
      for (std::int64_t i = 0; i < shape.count; ++i) static_cast<void>(product(a, b));
      operations += 2 * static_cast<double>(shape.m * shape.n * shape.k * shape.count);
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return operations / seconds.count() / 1e9;
}

std::uint64_t Device::operations() const {
  const std::lock_guard lock(guard_);
  return started_;
}

std::uint64_t Device::stalls() const {
  const std::lock_guard lock(guard_);
  return stalls_;
}

std::uint64_t Device::start() const {
  const std::lock_guard lock(guard_);
  return ++started_;
}

void Device::wait(std::uint64_t operation) const {
  const std::lock_guard lock(guard_);
  if (operation <= waited_for_) return;
  ++stalls_;
  waited_for_ = started_;
}

std::shared_ptr<std::byte> Device::allocate(std::size_t size) const {
  return memory_->allocate(size);
}

void Device::copy_in(std::span<const std::byte> from, std::byte* to) const {
  if (from.empty()) return;
  if (memory_->overlaps(from)) throw ArgumentError("copy_in: the source is the device's memory");
  if (!memory_->contains({to, from.size()})) {
    throw ArgumentError("copy_in: the target lies outside of the device's memory");
  }
  const Memory::Unlocked unlocked(*memory_);
  std::memcpy(to, from.data(), from.size());
}

void Device::copy_out(const std::byte* from, std::span<std::byte> to) const {
  if (to.empty()) return;
  if (memory_->overlaps(to)) throw ArgumentError("copy_out: the target is the device's memory");
  if (!memory_->contains({from, to.size()})) {
    throw ArgumentError("copy_out: the source lies outside of the device's memory");
  }
  wait(operations());
  const Memory::Unlocked unlocked(*memory_);
  std::memcpy(to.data(), from, to.size());
}

void Device::fill_zero(std::span<std::byte> bytes) const {
  const Operation operation(*this, "fill_zero");
  operation.require(bytes.empty() || memory_->contains(bytes),
                    "the bytes lie outside of the device's memory");
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
}

std::unique_ptr<ops::Context::State> Device::make_state() const {
  return std::make_unique<ops::Context::State>();
}

ops::RowTiles Device::row_tiles(std::int64_t rows) const { return {.rows = rows, .workers = 1}; }

void Device::for_row_tiles(std::int64_t rows, ops::RowTileBody body) const {
  if (rows > 0) body(0, rows, 0);
}

std::shared_ptr<const ops::LinearWeight::Packed> Device::pack(std::span<const Tensor> weights,
                                                              std::span<const Tensor> biases,
                                                              DType compute) const {
  if (!accelerates(compute)) {
    throw ModelError(fmt::format("the reference device does not compute in {}", name_of(compute)));
  }
  const auto values = values_of(weights);
  auto bias = values_of(biases);
  const std::int64_t inputs = weights[0].dim(1);
  std::int64_t outputs = 0;
  for (const auto& weight : weights) outputs += weight.dim(0);
  bias.resize(static_cast<std::size_t>(outputs));
  auto packed = std::make_shared<PackedWeight>();
  const auto weight_bytes = std::as_bytes(std::span(values));
  const auto bias_bytes = std::as_bytes(std::span(bias));
  packed->memory = allocate(weight_bytes.size() + bias_bytes.size());
  auto* const begin = packed->memory.get();
  copy_in(weight_bytes, begin);
  copy_in(bias_bytes, begin + weight_bytes.size());
  packed->weight = {begin, DType::f32, outputs, inputs, inputs};
  packed->bias = {reinterpret_cast<const float*>(begin + weight_bytes.size()), bias.size()};
  return packed;
}

void Device::linear(ops::Context&, ops::ConstMatrix x, const ops::LinearWeight& weight,
                    ops::Epilogue epilogue, ops::Matrix y) const {
  const Operation operation(*this, "linear");
  operation.require(x.dtype == weight.compute() && y.dtype == DType::f32, "x and y are to be f32");
  operation.require(
      x.rows == y.rows && x.cols == weight.in_features() && y.cols == weight.out_features(),
      "x and y do not fit the weight");
  const auto& packed = static_cast<const PackedWeight&>(weight.packed());
  const auto values =
      reference::linear(operation.read(x, "x"), operation.read(packed.weight, "the weight"),
                        operation.read(packed.bias, "the bias"));
  if (epilogue == ops::Epilogue::add) {
    operation.write(plus(values, operation.read(y, "y")), y, "y");
  } else {
    operation.write(map(values, [&](double z) { return activated(epilogue, z); }), y, "y");
  }
}

void Device::multiply(ops::Context&, const ops::Factor& a, const ops::Factor& b, ops::Matrix c,
                      std::span<const float> bias) const {
  const Operation operation(*this, "multiply");
  auto values = multiplied(operation, a, b, c);
  const auto added = operation.read(bias, "the bias");
  operation.require(added.empty() || added.size() == values.cols, "the bias does not fit");
  for (std::size_t r = 0; r < values.rows; ++r) {
    for (std::size_t i = 0; i < added.size(); ++i) values(r, i) += added[i];
  }
  operation.write(values, c, "c");
}

void Device::multiply_add(ops::Context&, const ops::Factor& a, const ops::Factor& b,
                          ops::Matrix c) const {
  const Operation operation(*this, "multiply_add");
  operation.require(c.dtype == DType::f32, "c is to be f32");
  operation.write(plus(multiplied(operation, a, b, c), operation.read(c, "c")), c, "c");
}

}  // namespace cloze::reference
