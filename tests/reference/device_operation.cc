#include "reference/device_operation.h"

#include <cstddef>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::reference {
namespace {

double load(DType dtype, const std::byte* at) {
  const auto as = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(static_cast<float>(value));
  };
  switch (dtype) {
    case DType::f32:
      return as(float{});
    case DType::bf16:
      return as(BFloat16{});
    case DType::f16:
      return as(Float16{});
    default:
      throw ArgumentError(fmt::format("the reference device does not read {}", name_of(dtype)));
  }
}

void store(double value, DType dtype, std::byte* at) {
  const auto single = static_cast<float>(value);
  if (dtype == DType::f32) {
    std::memcpy(at, &single, sizeof single);
    return;
  }
  if (dtype != DType::bf16) {
    throw ArgumentError(fmt::format("the reference device does not write {}", name_of(dtype)));
  }
  const auto rounded = BFloat16::from(single);
  std::memcpy(at, &rounded, sizeof rounded);
}

}  // namespace

Operation::Operation(const Device& device, std::string_view name)
    : device_(device), name_(name), number_(device.start()), unlocked_(device.memory()) {}

void Operation::require(bool holds, std::string_view what) const {
  if (!holds) throw ArgumentError(fmt::format("{}: {}", name_, what));
}

void Operation::require_device(std::span<const std::byte> bytes, std::string_view operand) const {
  if (!bytes.empty() && !device_.memory().contains(bytes)) {
    throw ArgumentError(fmt::format("{}: {} lies outside of the device's memory", name_, operand));
  }
}

void Operation::require_host(std::span<const std::byte> bytes, std::string_view operand) const {
  if (!bytes.empty() && device_.memory().overlaps(bytes)) {
    throw ArgumentError(
        fmt::format("{}: {} lies in the device's memory, not in the host's", name_, operand));
  }
}

void Operation::require_device(const ops::ConstMatrix& matrix, std::string_view operand) const {
  if (matrix.rows == 0 || matrix.cols == 0) return;
  const auto* end =
      matrix.row(matrix.rows - 1) + static_cast<std::size_t>(matrix.cols) * size_of(matrix.dtype);
  require(matrix.data != nullptr, fmt::format("{} has no data", operand));
  require_device({matrix.data, end}, operand);
}

void Operation::require_size(std::size_t size, std::size_t wanted, std::string_view operand) const {
  if (size != wanted) {
    throw ArgumentError(
        fmt::format("{}: {} has {} values and not {}", name_, operand, size, wanted));
  }
}

Matrix Operation::read(const ops::ConstMatrix& from, std::string_view operand) const {
  require_device(from, operand);
  Matrix values(static_cast<std::size_t>(from.rows), static_cast<std::size_t>(from.cols));
  for (std::size_t r = 0; r < values.rows; ++r) {
    for (std::size_t c = 0; c < values.cols; ++c) {
      const auto* row = from.row(static_cast<std::int64_t>(r));
      values(r, c) = load(from.dtype, row + c * size_of(from.dtype));
    }
  }
  return values;
}

std::vector<double> Operation::read(std::span<const float> from, std::string_view operand) const {
  require_device(std::as_bytes(from), operand);
  return {from.begin(), from.end()};
}

void Operation::write(const Matrix& values, const ops::Matrix& to, std::string_view operand) const {
  require_device(to, operand);
  if (static_cast<std::int64_t>(values.rows) != to.rows ||
      static_cast<std::int64_t>(values.cols) != to.cols) {
    throw ArgumentError(fmt::format("{}: {} is [{}, {}] and not [{}, {}]", name_, operand, to.rows,
                                    to.cols, values.rows, values.cols));
  }
  for (std::size_t r = 0; r < values.rows; ++r) {
    for (std::size_t c = 0; c < values.cols; ++c) {
      auto* row = to.row(static_cast<std::int64_t>(r));
      store(values(r, c), to.dtype, row + c * size_of(to.dtype));
    }
  }
}

void Operation::write(std::span<const double> values, std::span<float> to,
                      std::string_view operand) const {
  require_device(std::as_bytes(to), operand);
  require_size(to.size(), values.size(), operand);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(values[i]);
}

void Operation::write(std::span<const double> values, std::span<BFloat16> to,
                      std::string_view operand) const {
  require_device(std::as_bytes(to), operand);
  require_size(to.size(), values.size(), operand);
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = BFloat16::from(static_cast<float>(values[i]));
  }
}

void Operation::add(std::span<const double> values, std::span<float> to,
                    std::string_view operand) const {
  if (to.empty()) return;
  require_size(to.size(), values.size(), operand);
  auto sums = read(to, operand);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
  write(sums, to, operand);
}

std::vector<double> column_sums(const Matrix& matrix) {
  std::vector<double> sums(matrix.cols);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t c = 0; c < matrix.cols; ++c) sums[c] += matrix(r, c);
  }
  return sums;
}

Matrix dropout_factors(const ops::Dropout& dropout, std::size_t rows, std::size_t cols) {
  Matrix factors(rows, cols);
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    ops::dropout_factors(dropout, static_cast<std::int64_t>(r), row);
    for (std::size_t c = 0; c < cols; ++c) factors(r, c) = static_cast<double>(row[c]);
  }
  return factors;
}

}  // namespace cloze::reference
