/// \file
/// An operation of the reference device while it runs: what it may read and write, and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "reference/device.h"
#include "reference/ops.h"

namespace cloze::reference {

/// Numbers the operation and opens the device's memory while it lives. Operands are read to doubles
/// and written rounded once; each has a name, which the exception says that refuses it.
class Operation {
 public:
  Operation(const Device& device, std::string_view name);

  /// Throws ArgumentError that ends with `what` unless it holds.
  void require(bool holds, std::string_view what) const;

  // Of the device's memory. All throw ArgumentError for an operand that lies elsewhere, unless it
  // is empty.

  [[nodiscard]] Matrix read(const ops::ConstMatrix& from, std::string_view operand) const;
  [[nodiscard]] std::vector<double> read(std::span<const float> from,
                                         std::string_view operand) const;
  void write(const Matrix& values, const ops::Matrix& to, std::string_view operand) const;
  void write(std::span<const double> values, std::span<float> to, std::string_view operand) const;
  void write(std::span<const double> values, std::span<BFloat16> to,
             std::string_view operand) const;
  /// to += values, where it is wanted at all: not where it is empty.
  void add(std::span<const double> values, std::span<float> to, std::string_view operand) const;

  /// Of the host's memory: throws ArgumentError where any of it is the device's.
  template <class T>
  [[nodiscard]] std::span<const T> host(std::span<const T> values, std::string_view operand) const {
    require_host(std::as_bytes(values), operand);
    return values;
  }

  /// The number in the device's memory, to be read later.
  template <class T>
  [[nodiscard]] ops::Pending<T> pending(const T& value) const;

 private:
  template <class T>
  class Stored;

  void require_device(std::span<const std::byte> bytes, std::string_view operand) const;
  void require_host(std::span<const std::byte> bytes, std::string_view operand) const;
  void require_device(const ops::ConstMatrix& matrix, std::string_view operand) const;
  void require_size(std::size_t size, std::size_t wanted, std::string_view operand) const;

  const Device& device_;
  std::string_view name_;
  std::uint64_t number_;
  Memory::Unlocked unlocked_;
};

/// A number in the device's memory, and the operation that writes it.
template <class T>
class Operation::Stored final : public ops::Pending<T>::Source {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Stored(const Device& device, std::uint64_t operation, std::shared_ptr<std::byte> place)
      : device_(device), operation_(operation), place_(std::move(place)) {}

  [[nodiscard]] T read() override {
    device_.wait(operation_);
    const Memory::Unlocked unlocked(device_.memory());
    T value;
    std::memcpy(&value, place_.get(), sizeof value);
    return value;
  }

 private:
  const Device& device_;
  std::uint64_t operation_;
  std::shared_ptr<std::byte> place_;
};

template <class T>
ops::Pending<T> Operation::pending(const T& value) const {
  auto place = device_.allocate(sizeof value);
  std::memcpy(place.get(), &value, sizeof value);
  return ops::Pending<T>(std::make_shared<Stored<T>>(device_, number_, std::move(place)));
}

/// The row of a matrix.
[[nodiscard]] inline std::span<const double> row_of(const Matrix& matrix, std::size_t row) {
  return std::span(matrix.values).subspan(row * matrix.cols, matrix.cols);
}

/// The columns' sums.
[[nodiscard]] std::vector<double> column_sums(const Matrix& matrix);

/// What dropout multiplies the elements of rows 0, 1, ... with.
[[nodiscard]] Matrix dropout_factors(const ops::Dropout& dropout, std::size_t rows,
                                     std::size_t cols);

/// Every value replaced by what `function` makes of it.
template <class Function>
[[nodiscard]] Matrix map(Matrix matrix, const Function& function) {
  for (auto& value : matrix.values) value = function(value);
  return matrix;
}

}  // namespace cloze::reference
