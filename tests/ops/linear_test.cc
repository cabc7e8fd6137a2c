// ops::linear against the plain product in double precision.
#include "ops/linear.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "core/parallel.h"
#include "ops/machine.h"
#include "ops/operands.h"
#include "ops/row_tiles.h"
#include "reference/ops.h"

namespace cloze::testing {
namespace {

using ops::Epilogue;
using ops::LinearWeight;

double apply(Epilogue epilogue, double x) {
  switch (epilogue) {
    case Epilogue::none:
    case Epilogue::add:
      return x;
    case Epilogue::gelu:
      return reference::gelu(x);
    case Epilogue::gelu_tanh:
      return reference::gelu_tanh(x);
    case Epilogue::relu:
      return reference::relu(x);
    case Epilogue::silu:
      return reference::silu(x);
    case Epilogue::tanh:
      return std::tanh(x);
  }
  return 0;
}

struct Layer {
  Operand weight;
  Operand bias;
  LinearWeight packed;

  Layer(std::int64_t in, std::int64_t out, DType compute, Random& random, DType stored = DType::f32)
      // Rounded to what the computation keeps, so that the reference sees the same numbers.
      : weight(Operand::random(compute == DType::bf16 ? DType::bf16 : stored, out, in, random,
                               1 / std::sqrt(static_cast<double>(in)))),
        bias(Operand::random(stored, 1, out, random)),
        packed(LinearWeight::pack(std::vector{weight.tensor()},
                                  std::vector{bias.tensor().reshaped({out})}, compute)) {}

  [[nodiscard]] reference::Matrix expected(const Operand& x) const {
    return reference::linear(x.doubles(), weight.doubles(), bias.doubles().values);
  }
};

// Error of a product of `in` terms of about unit variance, accumulated in f32.
double accumulation_error(std::int64_t in) {
  return 1e-6 + 4e-7 * std::sqrt(static_cast<double>(in));
}

bool can_compute(DType dtype) {
  try {
    Random random(0);
    (void)Layer(8, 8, dtype, random);
    return true;
  } catch (const ModelError&) {
    return false;
  }
}

class Linear : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!can_compute(GetParam())) GTEST_SKIP() << "this machine does not compute in this dtype";
  }
  static DType compute() { return GetParam(); }

  ops::Context context_;
  Random random_{2018};
};
INSTANTIATE_TEST_SUITE_P(Dtypes, Linear, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(Linear, EveryAwkwardSize) {
  for (const auto in : awkward_sizes) {
    for (const auto out : awkward_sizes) {
      const Layer layer(in, out, compute(), random_);
      // Every pair with a few rows, the square ones with one and with more than a tile as well.
      const auto row_counts =
          in == out ? std::vector<std::int64_t>{1, 2, 17, 70} : std::vector<std::int64_t>{9};
      for (const auto rows : row_counts) {
        SCOPED_TRACE(::testing::Message() << rows << " x " << in << " -> " << out);
        const auto x = Operand::random(compute(), rows, in, random_);
        Operand y(DType::f32, rows, out);
        ops::linear(context_, x.view(), layer.packed, Epilogue::none, y.view());
        expect_near(y, layer.expected(x), accumulation_error(in));
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(Linear, EveryNumberOfRows) {
  const std::int64_t in = 48, out = 200;
  const Layer layer(in, out, compute(), random_);
  for (std::int64_t rows = 1; rows < 140; rows += rows < 20 ? 1 : 7) {
    SCOPED_TRACE(rows);
    const auto x = Operand::random(compute(), rows, in, random_);
    Operand y(compute(), rows, out);
    ops::linear(context_, x.view(), layer.packed, Epilogue::none, y.view());
    expect_near(y, layer.expected(x), accumulation_error(in));
    if (HasFailure()) return;
  }
}

TEST_P(Linear, SizesOfRealModels) {
  struct Size {
    std::int64_t rows, in, out;
  };
  for (const auto& size : std::vector<Size>{
           {37, 384, 1152}, {5, 384, 1536}, {131, 1536, 384}, {9, 768, 2304}, {8, 3072, 768}}) {
    SCOPED_TRACE(::testing::Message() << size.rows << " x " << size.in << " -> " << size.out);
    const Layer layer(size.in, size.out, compute(), random_);
    const auto x = Operand::random(compute(), size.rows, size.in, random_);
    Operand y(compute(), size.rows, size.out);
    ops::linear(context_, x.view(), layer.packed, Epilogue::none, y.view());
    expect_near(y, layer.expected(x), accumulation_error(size.in));
  }
}

TEST_P(Linear, EveryEpilogue) {
  const std::int64_t in = 33, out = 70;
  const Layer layer(in, out, compute(), random_);
  for (const auto epilogue : {Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh, Epilogue::relu,
                              Epilogue::silu, Epilogue::tanh}) {
    for (const auto result : {DType::f32, compute()}) {
      for (const std::int64_t rows : {1, 3, 90}) {
        SCOPED_TRACE(::testing::Message() << "epilogue " << static_cast<int>(epilogue) << " to "
                                          << name_of(result) << ", rows " << rows);
        // Wide inputs: both tails of every function and its middle.
        const auto x = Operand::random(compute(), rows, in, random_, 4);
        Operand y(result, rows, out);
        ops::linear(context_, x.view(), layer.packed, epilogue, y.view());
        auto expected = layer.expected(x);
        for (auto& value : expected.values) value = apply(epilogue, value);
        expect_near(y, expected, 4 * accumulation_error(in));
      }
    }
  }
}

TEST_P(Linear, EveryEpilogueFarOut) {
  // One weight of 1: the product is the input itself, from -1000 to 1000.
  Operand weight(DType::f32, 1, 1);
  weight.set(0, 0, 1);
  const auto packed = LinearWeight::pack(std::vector{weight.tensor()}, {}, compute());
  const std::vector<double> inputs = {-1000, -200, -100, -90, -88, -20, -6,  -1e-3,
                                      0,     1e-3, 6,    20,  88,  90,  100, 1000};
  Operand x(compute(), static_cast<std::int64_t>(inputs.size()), 1);
  for (std::size_t i = 0; i < inputs.size(); ++i) x.set(static_cast<std::int64_t>(i), 0, inputs[i]);
  for (const auto epilogue :
       {Epilogue::gelu, Epilogue::gelu_tanh, Epilogue::relu, Epilogue::silu, Epilogue::tanh}) {
    SCOPED_TRACE(static_cast<int>(epilogue));
    Operand y(DType::f32, x.view().rows, 1);
    ops::linear(context_, x.view(), packed, epilogue, y.view());
    auto expected = x.doubles();
    for (auto& value : expected.values) value = apply(epilogue, value);
    expect_near(y, expected, 2e-6);
  }
}

TEST_P(Linear, AddsToWhatIsThere) {
  const std::int64_t in = 64, out = 65;
  const Layer layer(in, out, compute(), random_);
  for (const auto result : {DType::f32, compute()}) {
    for (const std::int64_t rows : {1, 16, 100}) {
      SCOPED_TRACE(::testing::Message() << "to " << name_of(result) << ", rows " << rows);
      const auto x = Operand::random(compute(), rows, in, random_);
      auto y = Operand::random(result, rows, out, random_);
      auto expected = layer.expected(x);
      const auto before = y.doubles();
      for (std::size_t i = 0; i < expected.values.size(); ++i)
        expected.values[i] += before.values[i];
      ops::linear(context_, x.view(), layer.packed, Epilogue::add, y.view());
      expect_near(y, expected, accumulation_error(in));
    }
  }
}

TEST_P(Linear, StackedWeightsWithAndWithoutBias) {
  const std::int64_t in = 24;
  const std::vector<std::int64_t> outs = {24, 7, 65};
  std::vector<Tensor> weights, biases;
  reference::Matrix all_weights(96, 24);
  std::vector<double> all_biases;
  std::size_t at = 0;
  for (const auto out : outs) {
    const auto weight = Operand::random(compute(), out, in, random_);
    const auto bias = Operand::random(DType::f32, 1, out, random_);
    weights.push_back(weight.tensor());
    biases.push_back(bias.tensor().reshaped({out}));
    for (const auto value : weight.doubles().values) all_weights.values[at++] = value;
    for (const auto value : bias.doubles().values) all_biases.push_back(value);
  }
  const auto x = Operand::random(compute(), 13, in, random_);
  Operand y(DType::f32, 13, 96);
  const auto packed = LinearWeight::pack(weights, biases, compute());
  EXPECT_EQ(packed.in_features(), in);
  EXPECT_EQ(packed.out_features(), 96);
  ops::linear(context_, x.view(), packed, Epilogue::none, y.view());
  expect_near(y, reference::linear(x.doubles(), all_weights, all_biases), 1e-5);

  ops::linear(context_, x.view(), LinearWeight::pack(weights, {}, compute()), Epilogue::none,
              y.view());
  expect_near(y, reference::linear(x.doubles(), all_weights, std::vector<double>(96)), 1e-5);
}

TEST_P(Linear, WeightsStoredInAnyDtypeAtAnyAddress) {
  const std::int64_t in = 31, out = 66;
  for (const auto stored : {DType::f32, DType::f16, DType::bf16}) {
    for (const std::size_t misalignment : {0U, 1U, 2U, 6U}) {
      SCOPED_TRACE(::testing::Message() << name_of(stored) << " at " << misalignment);
      const auto weight = Operand::random(stored, out, in, random_);
      const auto bias = Operand::random(stored, 1, out, random_);
      const auto packed =
          LinearWeight::pack(std::vector{weight.tensor(misalignment)},
                             std::vector{bias.tensor(misalignment).reshaped({out})}, compute());
      auto kept = weight.doubles();
      if (compute() == DType::bf16) {
        for (auto& value : kept.values) {
          value = static_cast<float>(BFloat16::from(static_cast<float>(value)));
        }
      }
      const auto x = Operand::random(compute(), 9, in, random_);
      Operand y(DType::f32, 9, out);
      ops::linear(context_, x.view(), packed, Epilogue::none, y.view());
      expect_near(y, reference::linear(x.doubles(), kept, bias.doubles().values), 2e-5);
    }
  }
}

// A row's result has the same bits alone, in any batch, and at any number of threads.
TEST_P(Linear, ARowHasTheSameBitsInEveryBatch) {
  if (!ops::accelerates(compute())) GTEST_SKIP() << "oneDNN emulates this dtype here";
  struct Size {
    std::int64_t in, out;
  };
  const auto threads = num_threads();
  for (const auto& size :
       std::vector<Size>{{24, 72}, {37, 24}, {64, 192}, {384, 1536}, {1536, 384}, {130, 65}}) {
    const Layer layer(size.in, size.out, compute(), random_);
    const auto x = Operand::random(compute(), 200, size.in, random_);
    Operand all(compute(), 200, size.out);
    ops::linear(context_, x.view(), layer.packed, Epilogue::gelu, all.view());
    for (const int team : {1, 2, 3}) {
      set_num_threads(team);
      for (const std::int64_t rows : {1, 2, 3, 5, 8, 17, 47, 48, 65, 130, 200}) {
        SCOPED_TRACE(::testing::Message()
                     << size.in << " -> " << size.out << ", rows " << rows << ", threads " << team);
        const auto begin = 200 - rows;
        Operand part(compute(), rows, size.out);
        ops::linear(context_, x.view().rows_from(begin, rows), layer.packed, Epilogue::gelu,
                    part.view());
        for (std::int64_t r = 0; r < rows; ++r) {
          ASSERT_TRUE(part.same_bits(r, all, begin + r)) << "row " << r;
        }
      }
    }
    set_num_threads(threads);
  }
}

TEST_P(Linear, InsideRowTiles) {
  const std::int64_t in = 40, out = 96, rows = 301;
  const Layer layer(in, out, compute(), random_);
  const auto x = Operand::random(compute(), rows, in, random_);
  Operand y(DType::f32, rows, out);
  const auto from = x.view();
  const auto to = y.view();
  const auto tile = [&](std::int64_t begin, std::int64_t count, int) {
    ops::linear(context_, from.rows_from(begin, count), layer.packed, Epilogue::none,
                to.rows_from(begin, count));
  };
  ops::for_row_tiles(context_, rows, tile);
  expect_near(y, layer.expected(x), accumulation_error(in));
}

TEST_P(Linear, NotANumberStaysInItsRow) {
  const Layer layer(33, 70, compute(), random_);
  auto x = Operand::random(compute(), 60, 33, random_);
  x.set(21, 5, std::numeric_limits<double>::quiet_NaN());
  Operand y(DType::f32, 60, 70);
  // Not relu: oneDNN's makes 0 of it. In the model the residual beside it still shows it.
  for (const auto epilogue :
       {Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh, Epilogue::silu, Epilogue::tanh}) {
    ops::linear(context_, x.view(), layer.packed, epilogue, y.view());
    for (std::int64_t r = 0; r < 60; ++r) {
      for (std::int64_t c = 0; c < 70; ++c) {
        ASSERT_EQ(std::isnan(y.get(r, c)), r == 21)
            << r << ", " << c << ", epilogue " << static_cast<int>(epilogue);
      }
    }
  }
}

TEST_P(Linear, NoRowsIsNoWork) {
  const Layer layer(16, 16, compute(), random_);
  const Operand x(compute(), 0, 16);
  Operand y(compute(), 0, 16);
  EXPECT_NO_THROW(ops::linear(context_, x.view(), layer.packed, Epilogue::none, y.view()));
}

TEST_P(Linear, RefusesShapesThatDoNotFit) {
  const Layer layer(16, 24, compute(), random_);
  const Operand x(compute(), 3, 17);
  Operand y(compute(), 3, 24);
  EXPECT_THROW(ops::linear(context_, x.view(), layer.packed, Epilogue::none, y.view()),
               ArgumentError);
  const Operand good(compute(), 3, 16);
  Operand narrow(compute(), 3, 23);
  EXPECT_THROW(ops::linear(context_, good.view(), layer.packed, Epilogue::none, narrow.view()),
               ArgumentError);
  const Operand apart(compute(), 3, 16, 1);  // rows that do not touch: oneDNN has no fast path
  Operand y_apart(compute(), 3, 24, 8);
  EXPECT_THROW(ops::linear(context_, apart.view(), layer.packed, Epilogue::none, y.view()),
               ArgumentError);
  EXPECT_THROW(ops::linear(context_, good.view(), layer.packed, Epilogue::none, y_apart.view()),
               ArgumentError);
  Operand few(compute(), 2, 24);
  EXPECT_THROW(ops::linear(context_, good.view(), layer.packed, Epilogue::none, few.view()),
               ArgumentError);

  const auto a = Operand(DType::f32, 4, 8).tensor();
  const auto b = Operand(DType::f32, 4, 9).tensor();
  EXPECT_THROW((void)LinearWeight::pack(std::vector{a, b}, {}, compute()), ModelError);
  const auto bias = Operand(DType::f32, 1, 5).tensor().reshaped({5});
  EXPECT_THROW((void)LinearWeight::pack(std::vector{a}, std::vector{bias}, compute()), ModelError);
}

}  // namespace
}  // namespace cloze::testing
