/// \file
/// Operands for the tests of operations: random matrices of any element type and stride, which
/// notice writes outside themselves.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tensor.h"
#include "ops/matrix.h"
#include "ops/norm.h"
#include "reference/ops.h"

namespace cloze::testing {

/// Sizes at and around the vector widths of every instruction set.
inline const std::vector<std::int64_t> awkward_sizes = {1,  2,  3,  7,  8,  15, 16, 17,
                                                        31, 32, 33, 63, 64, 65, 100};

using Random = std::mt19937_64;

inline double normal(Random& random) { return std::normal_distribution<double>()(random); }

/// A layer norm that owns its values.
inline ops::NormParameters make_norm(std::vector<float> gamma, std::vector<float> beta,
                                     float epsilon) {
  const auto values = std::make_shared<std::pair<std::vector<float>, std::vector<float>>>(
      std::move(gamma), std::move(beta));
  return {.gamma = values->first, .beta = values->second, .epsilon = epsilon, .storage = values};
}

/// A [rows, cols] matrix whose rows lie `stride` apart. Everything between the rows and around the
/// matrix is filled with a pattern that `expect_untouched_outside` looks for.
class Operand {
 public:
  Operand(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t gap = 0)
      : dtype_(dtype), rows_(rows), cols_(cols), stride_(cols + gap) {
    const auto bytes = static_cast<std::size_t>(rows * stride_) * size_of(dtype);
    storage_ = Tensor::zeros(DType::u8, {static_cast<std::int64_t>(bytes + 2 * margin)});
    std::memset(storage_.mutable_bytes().data(), pattern, storage_.bytes().size());
  }

  /// Of independent normal numbers, `scale` times.
  static Operand random(DType dtype, std::int64_t rows, std::int64_t cols, Random& random,
                        double scale = 1, std::int64_t gap = 0) {
    Operand operand(dtype, rows, cols, gap);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) operand.set(r, c, scale * normal(random));
    }
    return operand;
  }

  [[nodiscard]] double get(std::int64_t row, std::int64_t col) const {
    const auto* at = data() + offset(row, col);
    switch (dtype_) {
      case DType::f32:
        return read<float>(at);
      case DType::bf16:
        return static_cast<float>(read<BFloat16>(at));
      case DType::f16:
        return static_cast<float>(read<Float16>(at));
      default:
        throw std::logic_error("an operand of another dtype");
    }
  }
  void set(std::int64_t row, std::int64_t col, double value) {
    auto* at = data() + offset(row, col);
    const auto single = static_cast<float>(value);
    if (dtype_ == DType::f32) std::memcpy(at, &single, sizeof single);
    const auto brain = BFloat16::from(single);
    if (dtype_ == DType::bf16) std::memcpy(at, &brain, sizeof brain);
    const auto half = Float16::from(single);
    if (dtype_ == DType::f16) std::memcpy(at, &half, sizeof half);
  }

  [[nodiscard]] ops::Matrix view() { return {data(), dtype_, rows_, cols_, stride_}; }
  [[nodiscard]] ops::ConstMatrix view() const { return {data(), dtype_, rows_, cols_, stride_}; }

  /// A dense tensor with the same elements, at `misalignment` bytes past an aligned address.
  [[nodiscard]] Tensor tensor(std::size_t misalignment = 0) const {
    const auto size = static_cast<std::size_t>(rows_ * cols_) * size_of(dtype_);
    auto bytes = std::make_shared<std::vector<std::byte>>(size + misalignment);
    for (std::int64_t r = 0; r < rows_ && cols_ > 0; ++r) {
      const auto row = static_cast<std::size_t>(cols_) * size_of(dtype_);
      std::memcpy(bytes->data() + misalignment + static_cast<std::size_t>(r) * row,
                  data() + offset(r, 0), row);
    }
    return Tensor::view(dtype_, {rows_, cols_}, std::span(*bytes).subspan(misalignment), bytes);
  }

  [[nodiscard]] reference::Matrix doubles() const {
    reference::Matrix matrix(static_cast<std::size_t>(rows_), static_cast<std::size_t>(cols_));
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < cols_; ++c) {
        matrix(static_cast<std::size_t>(r), static_cast<std::size_t>(c)) = get(r, c);
      }
    }
    return matrix;
  }

  /// Whether row `row` has the same bits as row `other_row` of `other`.
  [[nodiscard]] bool same_bits(std::int64_t row, const Operand& other,
                               std::int64_t other_row) const {
    return std::memcmp(data() + offset(row, 0), other.data() + other.offset(other_row, 0),
                       static_cast<std::size_t>(cols_) * size_of(dtype_)) == 0;
  }

  void expect_untouched_outside() const {
    const auto all = storage_.bytes();
    const auto row_bytes = static_cast<std::size_t>(stride_) * size_of(dtype_);
    const auto used = static_cast<std::size_t>(cols_) * size_of(dtype_);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool inside = i >= margin && i < all.size() - margin && (i - margin) % row_bytes < used;
      if (!inside && all[i] != std::byte{pattern}) {
        ADD_FAILURE() << "byte " << i << " outside the matrix was written";
        return;
      }
    }
  }

 private:
  static constexpr std::size_t margin = 128;  // keeps 64-byte alignment
  static constexpr unsigned char pattern = 0x7F;

  template <class T>
  static T read(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  [[nodiscard]] std::byte* data() { return storage_.mutable_bytes().data() + margin; }
  [[nodiscard]] const std::byte* data() const { return storage_.bytes().data() + margin; }
  [[nodiscard]] std::size_t offset(std::int64_t row, std::int64_t col) const {
    return static_cast<std::size_t>(row * stride_ + col) * size_of(dtype_);
  }

  DType dtype_;
  std::int64_t rows_, cols_, stride_;
  Tensor storage_;
};

/// Relative error of one rounding to `dtype`, with a little room.
inline double rounding(DType dtype) { return dtype == DType::bf16 ? 1.01 / 256 : 1.01 / 16777216; }

/// Holds every element within `absolute` + one rounding to the operand's dtype of `expected`.
inline void expect_near(const Operand& got, const reference::Matrix& expected, double absolute) {
  const auto view = got.view();
  ASSERT_EQ(static_cast<std::size_t>(view.rows), expected.rows);
  ASSERT_EQ(static_cast<std::size_t>(view.cols), expected.cols);
  for (std::int64_t r = 0; r < view.rows; ++r) {
    for (std::int64_t c = 0; c < view.cols; ++c) {
      const double wanted = expected(static_cast<std::size_t>(r), static_cast<std::size_t>(c));
      const double tolerance = absolute + rounding(view.dtype) * std::abs(wanted);
      const double value = got.get(r, c);
      if (!(std::abs(value - wanted) <= tolerance)) {
        ADD_FAILURE() << "row " << r << ", column " << c << ": " << value << " instead of "
                      << wanted << ", tolerance " << tolerance;
        return;
      }
    }
  }
  got.expect_untouched_outside();
}

}  // namespace cloze::testing
