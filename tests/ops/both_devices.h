/// \file
/// One operation on the processor and on the second device of the tests, with the same operands.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tensor.h"
#include "ops/operands.h"
#include "ops/transfer.h"
#include "reference/device.h"

namespace cloze::ops {

/// What an element may differ by, as a share of its operand's greatest: f32 sums in another order.
inline constexpr double kTolerance = 2e-5;

/// The device that stands beside the processor.
inline const reference::Device& second() {
  static const reference::Device device;
  return device;
}

inline float* floats(const Matrix& matrix) { return reinterpret_cast<float*>(matrix.data); }

/// An operation's operands on one device. Both devices' trials are given the same values.
class Trial {
 public:
  explicit Trial(const Device& device) : context(device) { context.begin(); }

  Context context;
  testing::Random random{2026};

  /// Normal numbers in the first columns of wider rows, whose `gap` others must stay as they are.
  Matrix matrix(std::int64_t rows, std::int64_t cols, std::int64_t gap = 0,
                DType dtype = DType::f32) {
    const auto wide = context.matrix(dtype, rows, cols + gap);
    HostMatrix host(context, wide);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols + gap; ++c) {
        const auto value = static_cast<float>(testing::normal(random));
        auto* const at = host.matrix().row(r) + static_cast<std::size_t>(c) * size_of(dtype);
        if (dtype == DType::f32) {
          std::memcpy(at, &value, sizeof value);
        } else {
          const auto rounded =
              dtype == DType::bf16 ? BFloat16::from(value).bits : Float16::from(value).bits;
          std::memcpy(at, &rounded, sizeof rounded);
        }
      }
    }
    host.store();
    operands_.push_back({wide, cols});
    return wide.cols_from(0, cols);
  }

  /// Normal numbers about `mean`; their squares with `squared`.
  std::span<float> values(std::int64_t count, float mean = 0, bool squared = false) {
    const auto row = matrix(1, count);
    HostMatrix host(context, row);
    for (auto& value : std::span(floats(host.matrix()), static_cast<std::size_t>(count))) {
      value = squared ? value * value : value + mean;
    }
    host.store();
    return {floats(row), static_cast<std::size_t>(count)};
  }

  std::span<float> zeros(std::int64_t count) {
    const auto row = matrix(1, count);
    fill_zero(context, row);
    return {floats(row), static_cast<std::size_t>(count)};
  }

  NormParameters norm(std::int64_t cols) {
    return {.gamma = values(cols, 1), .beta = values(cols), .epsilon = 1e-5F};
  }

  /// A tensor of the host.
  Tensor tensor(std::int64_t rows, std::int64_t cols) {
    auto tensor = Tensor::zeros(DType::f32, {rows, cols});
    for (auto& value : tensor.mutable_values<float>())
      value = static_cast<float>(testing::normal(random));
    return tensor;
  }

  std::vector<std::int32_t> indices(std::size_t count, std::uint64_t below) {
    std::vector<std::int32_t> result(count);
    for (auto& index : result) index = static_cast<std::int32_t>(random() % below);
    return result;
  }

  /// A number to compare.
  void number(double value) { numbers_.push_back(value); }
  void number(const LossSum& loss) {
    for (const double value : {loss.sum, loss.weight, static_cast<double>(loss.labelled),
                               static_cast<double>(loss.correct)}) {
      number(value);
    }
  }

  struct Operand {
    Matrix wide;
    std::int64_t cols;
  };
  [[nodiscard]] const std::vector<Operand>& operands() const { return operands_; }
  [[nodiscard]] const std::vector<double>& numbers() const { return numbers_; }

 private:
  std::vector<Operand> operands_;
  std::vector<double> numbers_;
};

inline double element(const Tensor& tensor, std::int64_t index) {
  const auto* at =
      tensor.bytes().data() + static_cast<std::size_t>(index) * size_of(tensor.dtype());
  const auto as = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(static_cast<float>(value));
  };
  if (tensor.dtype() == DType::f32) return as(float{});
  return tensor.dtype() == DType::bf16 ? as(BFloat16{}) : as(Float16{});
}

/// Holds every element of the second's operand within the tolerance of the first's: operands in
/// bf16, which are only ever rounded, and the gaps between rows to the bit.
inline void expect_same(const Tensor& first, const Tensor& second_one, std::int64_t cols) {
  ASSERT_EQ(first.shape(), second_one.shape());
  const std::int64_t stride = first.dim(1);
  double greatest = 0;
  for (std::int64_t i = 0; i < first.numel(); ++i) {
    if (i % stride < cols) greatest = std::max(greatest, std::abs(element(first, i)));
  }
  for (std::int64_t i = 0; i < first.numel(); ++i) {
    const bool exact = i % stride >= cols || first.dtype() != DType::f32;
    const double tolerance = exact ? 0 : kTolerance * greatest;
    ASSERT_NEAR(element(first, i), element(second_one, i), tolerance)
        << "row " << i / stride << ", column " << i % stride;
  }
}

/// Runs the operation on both devices and holds all operands and numbers of one against the
/// other's, those that were only read too.
template <class Operation>
void on_both(const Operation& operation) {
  Trial first(cpu()), other(second());
  operation(first);
  operation(other);
  ASSERT_EQ(first.operands().size(), other.operands().size());
  for (std::size_t i = 0; i < first.operands().size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "operand " << i);
    const auto& [wide, cols] = first.operands()[i];
    const auto wanted = to_host(first.context, wide);
    const auto got = to_host(other.context, other.operands()[i].wide);
    expect_same(wanted, got, cols);
  }
  ASSERT_EQ(first.numbers().size(), other.numbers().size());
  for (std::size_t i = 0; i < first.numbers().size(); ++i) {
    const double wanted = first.numbers()[i];
    EXPECT_NEAR(other.numbers()[i], wanted, kTolerance * std::abs(wanted)) << "number " << i;
  }
}

inline constexpr std::array kActivations{Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh,
                                         Epilogue::relu, Epilogue::silu, Epilogue::tanh};

/// None, and some.
inline constexpr std::array kDropouts{Dropout{},
                                      Dropout{.probability = 0.3F, .seed = 5, .stream = 6}};

/// Of a matrix.
struct Size {
  std::int64_t rows, cols;
};
inline constexpr std::array kSizes{Size{1, 5}, Size{3, 16}, Size{70, 33}, Size{0, 8}, Size{9, 200}};

/// Ends of uneven sequences, an empty one among them.
inline const std::vector<std::int32_t> kEnds{0, 1, 8, 8, 41, 44};

}  // namespace cloze::ops
