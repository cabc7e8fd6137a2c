// ops::linear in int8: exact where 8 bits are, within the steps of its scales elsewhere.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "core/parallel.h"
#include "ops/linear.h"
#include "ops/operands.h"
#include "reference/ops.h"

namespace cloze::testing {
namespace {

using ops::Epilogue;
using ops::LinearWeight;

LinearWeight pack(const Operand& weight, const Operand& bias) {
  const auto outputs = static_cast<std::int64_t>(bias.doubles().values.size());
  return LinearWeight::pack(std::vector{weight.tensor()},
                            std::vector{bias.tensor().reshaped({outputs})}, DType::i8);
}

/// How far a product may be from the exact one: every activation and every weight may be off by a
/// step of its row's or channel's scale (half of one by rounding, and the zero point's half).
reference::Matrix steps(const reference::Matrix& x, const reference::Matrix& weight) {
  const double limit = ops::accelerates(DType::i8) ? 127 : 63;
  reference::Matrix bound(x.rows, weight.rows);
  for (std::size_t r = 0; r < x.rows; ++r) {
    double low = 0, high = 0;
    for (std::size_t i = 0; i < x.cols; ++i) {
      low = std::min(low, x(r, i));
      high = std::max(high, x(r, i));
    }
    const double x_step = (high - low) / 255;
    for (std::size_t o = 0; o < weight.rows; ++o) {
      double most = 0;
      for (std::size_t i = 0; i < x.cols; ++i) most = std::max(most, std::abs(weight(o, i)));
      const double w_step = most / limit / 2;
      double sum = 0;
      for (std::size_t i = 0; i < x.cols; ++i) {
        sum += std::abs(weight(o, i)) * x_step + (std::abs(x(r, i)) + x_step) * w_step;
      }
      bound(r, o) = 1.001 * sum + 1e-6;
    }
  }
  return bound;
}

struct Function {
  Epilogue epilogue;
  double (*plain)(double);
};
const std::vector<Function> functions = {{Epilogue::gelu, reference::gelu},
                                         {Epilogue::gelu_tanh, reference::gelu_tanh},
                                         {Epilogue::relu, reference::relu},
                                         {Epilogue::silu, reference::silu},
                                         {Epilogue::tanh, [](double x) { return std::tanh(x); }}};

class QuantizedLinear : public ::testing::TestWithParam<DType> {
 protected:
  static DType activations() { return GetParam(); }
  ops::Context context_;
  Random random_{8};
};
INSTANTIATE_TEST_SUITE_P(Activations, QuantizedLinear, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(QuantizedLinear, WithinTheStepsOfItsScales) {
  struct Size {
    std::int64_t in, out;
  };
  for (const auto& [in, out] : std::vector<Size>{{1, 1},
                                                 {3, 2},
                                                 {7, 17},
                                                 {16, 16},
                                                 {31, 63},
                                                 {33, 64},
                                                 {64, 65},
                                                 {65, 33},
                                                 {100, 130},
                                                 {384, 200},
                                                 {130, 900}}) {
    const auto weight =
        Operand::random(DType::f32, out, in, random_, 1 / std::sqrt(static_cast<double>(in)));
    const auto bias = Operand::random(DType::f32, 1, out, random_);
    const auto packed = pack(weight, bias);
    for (const std::int64_t rows : {1, 9, 70}) {
      SCOPED_TRACE(::testing::Message() << rows << " x " << in << " -> " << out);
      const auto x = Operand::random(activations(), rows, in, random_);
      Operand y(DType::f32, rows, out);
      ops::linear(context_, x.view(), packed, Epilogue::none, y.view());
      const auto exact = reference::linear(x.doubles(), weight.doubles(), bias.doubles().values);
      const auto bound = steps(x.doubles(), weight.doubles());
      double errors = 0, squares = 0;
      for (std::size_t i = 0; i < exact.values.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i / exact.cols);
        const auto col = static_cast<std::int64_t>(i % exact.cols);
        const double error = y.get(row, col) - exact.values[i];
        ASSERT_LE(std::abs(error), bound.values[i]) << "row " << row << ", column " << col;
        errors += error * error;
        squares += exact.values[i] * exact.values[i];
      }
      y.expect_untouched_outside();
      // The bound is the worst of all signs; on the whole the errors cancel.
      if (in >= 16) {
        EXPECT_LE(std::sqrt(errors / squares), 0.02);
      }
    }
  }
}

TEST_P(QuantizedLinear, IsExactWhereEightBitsAre) {
  // Integers whose scales are 1: nothing is rounded, whatever the order of the sums.
  const std::int64_t limit = ops::accelerates(DType::i8) ? 127 : 63;
  for (const std::int64_t in : {2, 17, 64, 100}) {
    for (const std::int64_t out : {1, 63, 65, 1000}) {
      for (const std::int64_t rows : {1, 5, 67}) {
        SCOPED_TRACE(::testing::Message() << rows << " x " << in << " -> " << out);
        Operand x(activations(), rows, in), weight(DType::f32, out, in), bias(DType::f32, 1, out);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t i = 0; i < in; ++i) {
            x.set(r, i, static_cast<double>((r * 31 + i * 57) % 256) - 100);
          }
          x.set(r, 0, -100);  // the whole range in every row: a step of 1
          x.set(r, 1, 155);
        }
        for (std::int64_t o = 0; o < out; ++o) {
          bias.set(0, o, static_cast<double>(o % 7));
          for (std::int64_t i = 0; i < in; ++i) {
            weight.set(o, i, static_cast<double>((o * 13 + i * 29) % (2 * limit + 1) - limit));
          }
          weight.set(o, o % in, static_cast<double>(limit));
        }
        Operand y(DType::f32, rows, out);
        ops::linear(context_, x.view(), pack(weight, bias), Epilogue::none, y.view());
        const auto exact = reference::linear(x.doubles(), weight.doubles(), bias.doubles().values);
        expect_near(y, exact, 0);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(QuantizedLinear, EveryEpilogueIsThatOfTheSameProduct) {
  const std::int64_t in = 48, out = 70;
  const auto weight = Operand::random(DType::f32, out, in, random_, 0.3);
  const auto bias = Operand::random(DType::f32, 1, out, random_);
  const auto packed = pack(weight, bias);
  for (const auto& [epilogue, plain] : functions) {
    for (const auto result : {DType::f32, activations()}) {
      for (const std::int64_t rows : {1, 90}) {
        SCOPED_TRACE(::testing::Message() << "epilogue " << static_cast<int>(epilogue) << " to "
                                          << name_of(result) << ", rows " << rows);
        const auto x = Operand::random(activations(), rows, in, random_, 2);
        Operand product(DType::f32, rows, out), y(result, rows, out);
        ops::linear(context_, x.view(), packed, Epilogue::none, product.view());
        ops::linear(context_, x.view(), packed, epilogue, y.view());
        // gelu is a polynomial here, to 4.1e-5 + 5e-6·|x|; the products stay below 25.
        auto expected = product.doubles();
        for (auto& value : expected.values) {
          ASSERT_LT(std::abs(value), 25);
          value = plain(value);
        }
        expect_near(y, expected, 1.7e-4);
      }
    }
  }
}

TEST_P(QuantizedLinear, EveryEpilogueFarOut) {
  // One weight of 1: the product is the input itself, from -1000 to 1000.
  Operand weight(DType::f32, 1, 1), bias(DType::f32, 1, 1);
  weight.set(0, 0, 1);
  bias.set(0, 0, 0);
  const auto packed = pack(weight, bias);
  const std::vector<double> inputs = {-1000, -200, -100, -90, -88, -20, -1e-3,
                                      0,     1e-3, 20,   88,  90,  100, 1000};
  Operand x(activations(), static_cast<std::int64_t>(inputs.size()), 1);
  for (std::size_t i = 0; i < inputs.size(); ++i) x.set(static_cast<std::int64_t>(i), 0, inputs[i]);
  for (const auto& [epilogue, plain] : functions) {
    SCOPED_TRACE(static_cast<int>(epilogue));
    Operand y(DType::f32, x.view().rows, 1);
    ops::linear(context_, x.view(), packed, epilogue, y.view());
    for (std::int64_t r = 0; r < x.view().rows; ++r) {
      const double value = x.get(r, 0);
      EXPECT_NEAR(y.get(r, 0), plain(value), 5e-5 + 5e-6 * std::abs(value)) << "at " << value;
    }
  }
}

TEST_P(QuantizedLinear, AddsToWhatIsThere) {
  const std::int64_t in = 64, out = 65;
  const auto weight = Operand::random(DType::f32, out, in, random_, 0.2);
  const auto bias = Operand::random(DType::f32, 1, out, random_);
  const auto packed = pack(weight, bias);
  for (const auto result : {DType::f32, activations()}) {
    for (const std::int64_t rows : {1, 100}) {
      const auto x = Operand::random(activations(), rows, in, random_);
      Operand product(DType::f32, rows, out);
      ops::linear(context_, x.view(), packed, Epilogue::none, product.view());
      auto y = Operand::random(result, rows, out, random_);
      auto expected = product.doubles();
      const auto before = y.doubles();
      for (std::size_t i = 0; i < expected.values.size(); ++i)
        expected.values[i] += before.values[i];
      ops::linear(context_, x.view(), packed, Epilogue::add, y.view());
      expect_near(y, expected, 1e-6);
    }
  }
}

TEST_P(QuantizedLinear, ARowHasTheSameBitsInEveryBatch) {
  struct Size {
    std::int64_t in, out;
  };
  const auto threads = num_threads();
  for (const auto& [in, out] : std::vector<Size>{{24, 72}, {384, 1536}, {1536, 384}, {130, 65}}) {
    const auto weight = Operand::random(DType::f32, out, in, random_);
    const auto bias = Operand::random(DType::f32, 1, out, random_);
    const auto packed = pack(weight, bias);
    const auto x = Operand::random(activations(), 200, in, random_);
    Operand all(activations(), 200, out);
    ops::linear(context_, x.view(), packed, Epilogue::gelu, all.view());
    for (const int team : {1, 2, 3}) {
      set_num_threads(team);
      for (const std::int64_t rows : {1, 2, 8, 47, 65, 200}) {
        SCOPED_TRACE(::testing::Message()
                     << in << " -> " << out << ", rows " << rows << ", threads " << team);
        Operand part(activations(), rows, out);
        ops::linear(context_, x.view().rows_from(200 - rows, rows), packed, Epilogue::gelu,
                    part.view());
        for (std::int64_t r = 0; r < rows; ++r) {
          ASSERT_TRUE(part.same_bits(r, all, 200 - rows + r)) << "row " << r;
        }
      }
    }
    set_num_threads(threads);
  }
}

TEST_P(QuantizedLinear, RowsOfOneSignAndOfNothing) {
  const auto weight = Operand::random(DType::f32, 30, 20, random_);
  const auto bias = Operand::random(DType::f32, 1, 30, random_);
  Operand x(activations(), 4, 20);
  for (std::int64_t i = 0; i < 20; ++i) {
    x.set(0, i, 0);
    x.set(1, i, 5);                                 // one value: a range that still contains 0
    x.set(2, i, -1 - static_cast<double>(i) / 16);  // all negative
    x.set(3, i, 1e-30);
  }
  Operand y(DType::f32, 4, 30);
  ops::linear(context_, x.view(), pack(weight, bias), Epilogue::none, y.view());
  const auto exact = reference::linear(x.doubles(), weight.doubles(), bias.doubles().values);
  const auto bound = steps(x.doubles(), weight.doubles());
  for (std::size_t i = 0; i < exact.values.size(); ++i) {
    EXPECT_NEAR(y.get(static_cast<std::int64_t>(i / 30), static_cast<std::int64_t>(i % 30)),
                exact.values[i], bound.values[i]);
  }
}

// A step of 1/255 of a range below 255 times the smallest normal number is itself none, and its
// inverse infinite: 0 times that was NaN.
TEST_P(QuantizedLinear, RowsAndChannelsAmongTheSmallestNumbers) {
  constexpr std::int64_t in = 20, out = 30;
  for (const double scale : {1e-45, 1e-41, 1e-38, 1e-36}) {
    SCOPED_TRACE(scale);
    const auto bias = Operand::random(DType::f32, 1, out, random_);
    const auto weight = Operand::random(DType::f32, out, in, random_);
    const auto small_weight = Operand::random(DType::f32, out, in, random_, scale);
    auto x = Operand::random(activations(), 3, in, random_);
    auto small_x = Operand::random(activations(), 3, in, random_, scale);
    small_x.set(0, 0, 0);
    for (const auto* pair : {&small_x, &x}) {
      const bool small = pair == &small_x;
      Operand y(DType::f32, 3, out);
      ops::linear(context_, pair->view(), pack(small ? weight : small_weight, bias), Epilogue::none,
                  y.view());
      // Such products are nothing beside the bias.
      for (std::int64_t r = 0; r < 3; ++r) {
        for (std::int64_t c = 0; c < out; ++c) {
          ASSERT_NEAR(y.get(r, c), bias.get(0, c), 1e-6) << r << ", " << c;
        }
      }
    }
  }
}

// high - low is infinite where both are near the largest float.
TEST_P(QuantizedLinear, RowsAsWideAsTheNumbersGo) {
  constexpr std::int64_t in = 20, out = 30;
  const auto weight = Operand::random(DType::f32, out, in, random_, 1e-37);
  const auto bias = Operand::random(DType::f32, 1, out, random_);
  auto x = Operand::random(activations(), 2, in, random_, 1e37);
  x.set(0, 3, 3e38);
  x.set(0, 4, -3e38);
  x.set(1, 0, -3e38);
  x.set(1, 19, 2e38);
  Operand y(DType::f32, 2, out);
  ops::linear(context_, x.view(), pack(weight, bias), Epilogue::none, y.view());
  const auto exact = reference::linear(x.doubles(), weight.doubles(), bias.doubles().values);
  const auto bound = steps(x.doubles(), weight.doubles());
  for (std::size_t i = 0; i < exact.values.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i / out), col = static_cast<std::int64_t>(i % out);
    ASSERT_LE(std::abs(y.get(row, col) - exact.values[i]), bound.values[i]) << row << ", " << col;
  }
}

TEST_P(QuantizedLinear, WhatIsNoNumberIsSeenInItsRowAndNoOther) {
  const auto weight = Operand::random(DType::f32, 70, 33, random_);
  const auto bias = Operand::random(DType::f32, 1, 70, random_);
  const auto packed = pack(weight, bias);
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    for (const std::int64_t at : {0, 5, 16, 32}) {
      SCOPED_TRACE(::testing::Message() << poison << " at " << at);
      auto x = Operand::random(activations(), 60, 33, random_);
      x.set(21, at, poison);
      for (const auto epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh,
                                  Epilogue::relu, Epilogue::silu, Epilogue::tanh}) {
        Operand y(DType::f32, 60, 70);
        ops::linear(context_, x.view(), packed, epilogue, y.view());
        for (std::int64_t r = 0; r < 60; ++r) {
          for (std::int64_t c = 0; c < 70; ++c) {
            ASSERT_EQ(std::isfinite(y.get(r, c)), r != 21)
                << r << ", " << c << ", epilogue " << static_cast<int>(epilogue);
          }
        }
      }
    }
  }
}

TEST_P(QuantizedLinear, AWeightThatIsNoNumberIsSeenInItsChannelAndNoOther) {
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    SCOPED_TRACE(poison);
    auto weight = Operand::random(DType::f32, 70, 33, random_);
    weight.set(8, 20, poison);
    const auto bias = Operand::random(DType::f32, 1, 70, random_);
    const auto x = Operand::random(activations(), 6, 33, random_);
    Operand y(DType::f32, 6, 70);
    ops::linear(context_, x.view(), pack(weight, bias), Epilogue::none, y.view());
    for (std::int64_t r = 0; r < 6; ++r) {
      for (std::int64_t c = 0; c < 70; ++c) {
        ASSERT_EQ(std::isfinite(y.get(r, c)), c != 8) << r << ", " << c;
      }
    }
  }
}

}  // namespace
}  // namespace cloze::testing
