// The second device of the tests: that the host cannot touch its memory, and that each of its
// operations gives what the processor's gives.
#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "ops/operands.h"
#include "ops/transfer.h"
#include "reference/device.h"

namespace cloze::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::normal;
using testing::Random;
using ::testing::ThrowsMessage;

/// What an element may differ by, as a share of its operand's greatest: f32 sums in another order.
constexpr double kTolerance = 2e-5;

const reference::Device& second() {
  static const reference::Device device;
  return device;
}

float* floats(const Matrix& matrix) { return reinterpret_cast<float*>(matrix.data); }

/// An operation's operands on one device. Both devices' trials are given the same values.
class Trial {
 public:
  explicit Trial(const Device& device) : context(device) { context.begin(); }

  Context context;
  Random random{2026};

  /// Normal numbers in the first columns of wider rows, whose `gap` others must stay as they are.
  Matrix matrix(std::int64_t rows, std::int64_t cols, std::int64_t gap = 0,
                DType dtype = DType::f32) {
    const auto wide = context.matrix(dtype, rows, cols + gap);
    HostMatrix host(context, wide);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols + gap; ++c) {
        const auto value = static_cast<float>(normal(random));
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
    for (auto& value : tensor.mutable_values<float>()) value = static_cast<float>(normal(random));
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

double element(const Tensor& tensor, std::int64_t index) {
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
void expect_same(const Tensor& first, const Tensor& second_one, std::int64_t cols) {
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

constexpr std::array kActivations{Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh,
                                  Epilogue::relu, Epilogue::silu, Epilogue::tanh};

/// None, and some.
constexpr std::array kDropouts{Dropout{}, Dropout{.probability = 0.3F, .seed = 5, .stream = 6}};

struct Size {
  std::int64_t rows, cols;
};
constexpr std::array kSizes{Size{1, 5}, Size{3, 16}, Size{70, 33}, Size{0, 8}, Size{9, 200}};

/// Ends of uneven sequences, an empty one among them.
const std::vector<std::int32_t> kEnds{0, 1, 8, 8, 41, 44};

// The device itself.

TEST(ReferenceDevice, TheHostCannotReadItsMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto killed = ::testing::KilledBySignal(SIGSEGV);
  const auto read = [] {
    // Sanitizers catch the signal.
    static_cast<void>(std::signal(SIGSEGV, SIG_DFL));
    Context context(second());
    context.begin();
    const auto matrix = context.matrix(DType::f32, 2, 3);
    activate(context, matrix, Epilogue::tanh, matrix);
    const volatile auto value = floats(matrix)[4];
    static_cast<void>(value);
  };
  EXPECT_EXIT(read(), killed, "");
  const auto write = [] {
    static_cast<void>(std::signal(SIGSEGV, SIG_DFL));
    *second().allocate(1) = std::byte{1};
  };
  EXPECT_EXIT(write(), killed, "");
}

TEST(ReferenceDevice, MemoryIsZeroUntilWrittenAndGoneWithItsOwner) {
  const reference::Device device;
  auto block = device.allocate(10000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.get()) % 64, 0U);
  EXPECT_EQ(device.memory().blocks(), 1U);
  std::vector<std::byte> copy(10000, std::byte{7});
  device.copy_out(block.get(), copy);
  EXPECT_TRUE(std::ranges::all_of(copy, [](std::byte byte) { return byte == std::byte{0}; }));
  const std::array<std::byte, 3> some{std::byte{1}, std::byte{2}, std::byte{3}};
  device.copy_in(some, block.get() + 9997);
  device.copy_out(block.get() + 9997, std::span(copy).first(3));
  EXPECT_TRUE(std::ranges::equal(some, std::span(copy).first(3)));
  EXPECT_THROW(device.copy_in(some, block.get() + 9998), ArgumentError);
  EXPECT_THROW(device.copy_out(block.get() + 9998, std::span(copy).first(3)), ArgumentError);
  block.reset();
  EXPECT_EQ(device.memory().blocks(), 0U);
}

/// A call that refuses an operand, by its name, for where it lies.
template <class Call>
void expect_refused(const Call& call, const char* operand, const char* why = "outside of") {
  EXPECT_THAT(call, ThrowsMessage<ArgumentError>(AllOf(HasSubstr(operand), HasSubstr(why))));
}

TEST(ReferenceDevice, OperandsOfTheOtherMemoryAreRefused) {
  Trial trial(second());
  auto& context = trial.context;
  const auto x = trial.matrix(3, 4), y = trial.matrix(3, 4);
  auto norm = trial.norm(4);
  auto tensor = trial.tensor(3, 4);
  const auto host = matrix_of(tensor);
  const std::vector<float> numbers(4, 1);
  expect_refused([&] { activate(context, host, Epilogue::relu, y); }, "activate: x");
  expect_refused([&] { activate(context, x, Epilogue::relu, host); }, "activate: y");
  norm.gamma = numbers;
  expect_refused([&] { layer_norm(context, x, norm, y); }, "gamma");
  expect_refused(
      [&] {
        multiply(context, {x}, {x, true}, trial.matrix(3, 3), {numbers.data(), 3});
      },
      "the bias");
  expect_refused([&] { add_column_sums(context, x, tensor.mutable_values<float>().first(4)); },
                 "the sums");
  expect_refused(
      [&] {
        const std::vector<std::int32_t> labels{0, 1, 2};
        static_cast<void>(cross_entropy(context, x, labels, {1, host}));
      },
      "the gradient");
  // One element too many.
  const auto far = Matrix{x.data, DType::f32, 3, 4, 1 << 20};
  expect_refused([&] { activate(context, far, Epilogue::relu, y); }, "activate: x");
  // What the host gives must not be the device's.
  const std::span<const std::int32_t> labels{reinterpret_cast<const std::int32_t*>(x.data), 3};
  expect_refused([&] { static_cast<void>(cross_entropy(context, x, labels, {})); }, "the labels",
                 "not in the host's");
  const std::span<const float> targets{floats(x), 12};
  expect_refused([&] { static_cast<void>(squared_error(context, x, targets, {})); }, "the targets",
                 "not in the host's");
}

TEST(ReferenceDevice, AWeightOfAnotherDeviceIsRefused) {
  Trial trial(second());
  const std::vector<Tensor> weights{trial.tensor(5, 4)};
  const auto weight = LinearWeight::pack(weights, {}, DType::f32);
  EXPECT_THROW(
      linear(trial.context, trial.matrix(3, 4), weight, Epilogue::none, trial.matrix(3, 5)),
      ArgumentError);
  EXPECT_THROW(static_cast<void>(LinearWeight::pack(second(), weights, {}, DType::bf16)),
               ModelError);
}

TEST(ReferenceDevice, TheHostWaitsOnceForAllThatWasStarted) {
  const reference::Device device;
  Context context(device);
  context.begin();
  const auto x = context.matrix(DType::f32, 2, 3);
  const std::vector<std::int32_t> labels{0, 2};
  const auto first = cross_entropy(context, x, labels, {});
  const auto other = class_cross_entropy(context, x, labels, {}, {});
  activate(context, x, Epilogue::tanh, x);
  EXPECT_EQ(device.operations(), 3U);
  EXPECT_EQ(device.stalls(), 0U);
  EXPECT_NEAR(other.get().sum, 2 * std::log(3.0), 1e-12);
  EXPECT_NEAR(first.get().sum, 2 * std::log(3.0), 1e-12);
  static_cast<void>(to_host(context, x));
  EXPECT_EQ(device.stalls(), 1U);
  activate(context, x, Epilogue::tanh, x);
  EXPECT_EQ(first.get().labelled, 2);  // was computed long ago
  EXPECT_EQ(device.stalls(), 1U);
  static_cast<void>(to_host(context, x));
  EXPECT_EQ(device.stalls(), 2U);
  EXPECT_EQ(device.operations(), 4U);
}

TEST(ReferenceDevice, RowsAreOneTile) {
  Context context(second());
  EXPECT_EQ(row_tiles(context, 700).rows, 700);
  EXPECT_EQ(row_tiles(context, 700).workers, 1);
  int calls = 0;
  for_row_tiles(context, 700, [&](std::int64_t begin, std::int64_t count, int worker) {
    ++calls;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(count, 700);
    EXPECT_EQ(worker, 0);
  });
  EXPECT_EQ(calls, 1);
  for_row_tiles(context, 0, [&](std::int64_t, std::int64_t, int) { ++calls; });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(second().name(), "reference");
  EXPECT_GT(gemm_rate(second(), std::array{GemmShape{2, 3, 4, 1}}, DType::f32, 1), 0);
}

// Its operations against the processor's.

TEST(BothDevices, Linear) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto epilogue : kActivations) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const std::vector<Tensor> weights{trial.tensor(7, cols), trial.tensor(20, cols)};
        const std::vector<Tensor> biases{trial.tensor(1, 7), trial.tensor(1, 20)};
        const auto& device = trial.context.device();
        const auto weight = LinearWeight::pack(device, weights, biases, DType::f32);
        const auto unbiased = LinearWeight::pack(device, weights, {}, DType::f32);
        const auto x = trial.matrix(rows, cols);
        linear(trial.context, x, weight, epilogue, trial.matrix(rows, 27));
        linear(trial.context, x, weight, Epilogue::add, trial.matrix(rows, 27));
        linear(trial.context, x, unbiased, epilogue, trial.matrix(rows, 27));
      });
    }
  }
}

TEST(BothDevices, ProductsOfAnyStridesAndTranspositions) {
  struct Case {
    std::int64_t m, n, k;
  };
  for (const auto& [m, n, k] : {Case{1, 1, 1}, {3, 5, 7}, {65, 33, 17}, {1, 40, 300}}) {
    for (int flags = 0; flags < 8; ++flags) {
      on_both([&, m = m, n = n, k = k](Trial& trial) {
        const bool a_turned = (flags & 1) != 0, b_turned = (flags & 2) != 0;
        const std::int64_t gap = (flags & 4) != 0 ? 3 : 0;
        const auto a = trial.matrix(a_turned ? k : m, a_turned ? m : k, gap);
        const auto b = trial.matrix(b_turned ? n : k, b_turned ? k : n, gap);
        const auto bias = trial.values(n);
        multiply(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap));
        multiply(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap), bias);
        multiply_add(trial.context, {a, a_turned}, {b, b_turned}, trial.matrix(m, n, gap));
      });
    }
  }
}

/// Of attention: which tokens are queries.
struct Queries {
  std::vector<std::int32_t> ends;  ///< of each sequence; empty: all tokens
  [[nodiscard]] std::int64_t count() const { return ends.empty() ? kEnds.back() : ends.back(); }
};

template <class Body>
void for_attentions(const Body& body) {
  struct Heads {
    std::int64_t count, size;
  };
  for (const auto& [heads, head_dim] : {Heads{1, 4}, Heads{3, 6}, Heads{2, 17}}) {
    for (const auto& queries : {Queries{}, Queries{{0, 1, 1, 1, 12, 14}}}) {
      for (const auto& dropout : kDropouts) {
        body(AttentionShape{.heads = heads, .head_dim = head_dim, .cu_seqlens = kEnds}, queries,
             dropout);
      }
    }
  }
}

/// Parts of a matrix where all tokens are queries, else with the queries in a matrix of their own.
AttentionGradients attention_operands(Trial& trial, const AttentionShape& shape,
                                      const Queries& queries) {
  const std::int64_t hidden = shape.heads * shape.head_dim;
  const auto qkv = trial.matrix(kEnds.back(), 3 * hidden, 2);
  auto q = attention_part(qkv, 0);
  if (!queries.ends.empty()) q = trial.matrix(queries.count(), hidden);
  return {.q = q, .k = attention_part(qkv, 1), .v = attention_part(qkv, 2)};
}

TEST(BothDevices, Attention) {
  for_attentions([](const AttentionShape& shape, const Queries& queries, const Dropout& dropout) {
    on_both([&](Trial& trial) {
      const auto [q, k, v] = attention_operands(trial, shape, queries);
      const AttentionInputs in{.q = q, .k = k, .v = v, .cu_queries = queries.ends};
      std::int64_t count = 0;
      for (std::size_t s = 0; s + 1 < kEnds.size(); ++s) {
        const auto& ends = queries.ends.empty() ? kEnds : queries.ends;
        count += shape.heads * (ends[s + 1] - ends[s]) * (kEnds[s + 1] - kEnds[s]);
      }
      const auto y = trial.matrix(queries.count(), q.cols, 3);
      attention(trial.context, in, shape, y, {.dropout = dropout});
      attention(trial.context, in, shape, y,
                {.dropout = dropout, .probabilities = trial.values(count)});
    });
  });
}

TEST(BothDevices, AttentionBackward) {
  for_attentions([](const AttentionShape& shape, const Queries& queries, const Dropout& dropout) {
    on_both([&](Trial& trial) {
      const auto [q, k, v] = attention_operands(trial, shape, queries);
      const auto out = attention_operands(trial, shape, queries);
      attention_backward(trial.context, {.in = {.q = q, .k = k, .v = v, .cu_queries = queries.ends},
                                         .shape = shape,
                                         .dropout = dropout,
                                         .d_y = trial.matrix(queries.count(), q.cols, 1),
                                         .out = out});
    });
  });
}

TEST(BothDevices, LayerNorm) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto norm = trial.norm(cols);
      const auto x = trial.matrix(rows, cols, 3);
      layer_norm(trial.context, x, norm, trial.matrix(rows, cols, 2));
      layer_norm(trial.context, x, norm, x);
    });
  }
}

TEST(BothDevices, ResidualNormAndItsBackward) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto& dropout : kDropouts) {
      for (const bool whole : {true, false}) {
        on_both([&, rows = rows, cols = cols](Trial& trial) {
          const auto norm = trial.norm(cols);
          const SavedNorm saved{.normalized = trial.matrix(rows, cols),
                                .inverse = trial.values(rows)};
          residual_norm(trial.context, {.x = trial.matrix(rows, cols, 1),
                                        .dropout = dropout,
                                        .residual = whole ? trial.matrix(rows, cols, 4) : Matrix{},
                                        .parameters = norm,
                                        .saved = saved,
                                        .y = trial.matrix(rows, cols, 2)});
          const auto d_y = trial.matrix(rows, cols, 1);
          ResidualNormBackward backward{.d_y = d_y,
                                        .saved = saved,
                                        .dropout = dropout,
                                        .gamma = norm.gamma,
                                        .d_z = trial.matrix(rows, cols)};
          if (whole) {
            backward.d_x = trial.matrix(rows, cols, 3);
            backward.gradients = {.gamma = trial.values(cols),
                                  .beta = trial.values(cols),
                                  .bias = trial.values(cols)};
          }
          residual_norm_backward(trial.context, backward);
          backward.d_z = d_y;
          residual_norm_backward(trial.context, backward);
        });
      }
    }
  }
}

TEST(BothDevices, ActivationsAndTheirSlopes) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto activation : kActivations) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const auto x = trial.matrix(rows, cols, 1);
        activate(trial.context, x, activation, trial.matrix(rows, cols, 2));
        const auto d_y = trial.matrix(rows, cols, 3);
        activate_backward(trial.context, {.x = x,
                                          .activation = activation,
                                          .d_y = d_y,
                                          .d_x = trial.matrix(rows, cols),
                                          .y = trial.matrix(rows, cols),
                                          .bias_gradient = trial.values(cols)});
        activate_backward(trial.context,
                          {.x = x, .activation = activation, .d_y = d_y, .d_x = d_y});
      });
    }
  }
}

TEST(BothDevices, Dropout) {
  for (const auto& [rows, cols] : kSizes) {
    for (const auto& dropout : kDropouts) {
      on_both([&, rows = rows, cols = cols](Trial& trial) {
        const auto x = trial.matrix(rows, cols, 1);
        apply_dropout(trial.context, x, dropout, trial.matrix(rows, cols));
        apply_dropout(trial.context, x, dropout, x);
      });
    }
  }
}

TEST(BothDevices, RowsConvertedAndMoved) {
  constexpr std::array both{DType::f32, DType::bf16};
  for (const auto& [rows, cols] : kSizes) {
    for (const auto from : both) {
      for (const auto to : both) {
        on_both([&, rows = rows, cols = cols](Trial& trial) {
          const auto x = trial.matrix(rows, cols, 1, from);
          convert(trial.context, x, trial.matrix(rows, cols, 2, to));
          if (rows == 0) return;
          const auto indices = trial.indices(11, static_cast<std::uint64_t>(rows));
          gather_rows(trial.context, x, indices, trial.matrix(11, cols, 3, to));
        });
      }
    }
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      add_column_sums(trial.context, trial.matrix(rows, cols, 2), trial.values(cols));
      const auto from = trial.values(cols);
      const auto to = trial.matrix(1, cols, 0, DType::bf16);
      round(trial.context.device(), from,
            {reinterpret_cast<BFloat16*>(to.data), static_cast<std::size_t>(cols)});
      const auto dense = trial.matrix(rows, cols);
      fill_zero(trial.context, dense);
      if (rows == 0) return;
      for (const std::int64_t skipped : {-1, 0}) {
        const auto indices = trial.indices(13, static_cast<std::uint64_t>(rows));
        scatter_add_rows(trial.context, trial.matrix(13, cols, 1), indices,
                         trial.matrix(rows, cols, 2), skipped);
      }
    });
  }
}

TEST(BothDevices, MeansOfSequences) {
  const auto sequences = static_cast<std::int64_t>(kEnds.size()) - 1;
  for (const std::int64_t cols : {1, 16, 33}) {
    on_both([&](Trial& trial) {
      mean_rows(trial.context, trial.matrix(kEnds.back(), cols), kEnds,
                trial.matrix(sequences, cols));
      mean_rows_backward(trial.context, trial.matrix(sequences, cols), kEnds,
                         trial.matrix(kEnds.back(), cols));
    });
  }
}

TEST(BothDevices, EmbeddingsAndTheirGradients) {
  constexpr std::int64_t kWords = 9, kPositions = 5, kTypes = 2;
  for (const std::int64_t tokens : {0, 1, 37}) {
    for (const auto stored : {DType::f32, DType::bf16, DType::f16}) {
      on_both([&](Trial& trial) {
        const auto count = static_cast<std::size_t>(tokens);
        const auto ids = trial.indices(count, kWords), positions = trial.indices(count, kPositions),
                   types = trial.indices(count, kTypes);
        const EmbeddingIndices indices{ids, positions, types};
        constexpr std::int64_t cols = 33;
        const EmbeddingTables tables{.word = trial.matrix(kWords, cols, 0, stored),
                                     .position = trial.matrix(kPositions, cols, 0, stored),
                                     .token_type = trial.matrix(kTypes, cols, 0, stored)};
        embed(trial.context, tables, indices, trial.norm(cols), trial.matrix(tokens, cols, 1));
        if (stored != DType::f32) return;
        embedding_sum(trial.context, tables, indices, trial.matrix(tokens, cols, 2));
        for (const std::int64_t padding : {-1, 3}) {
          embedding_sum_backward(trial.context, trial.matrix(tokens, cols, 1), indices,
                                 {.word = trial.matrix(kWords, cols),
                                  .position = trial.matrix(kPositions, cols),
                                  .token_type = trial.matrix(kTypes, cols),
                                  .padding = padding});
        }
      });
    }
  }
}

/// The loss alone, with its gradient beside the logits, and over them.
template <class Loss>
void three_times(Trial& trial, Matrix logits, const Loss& loss) {
  const Pending<LossSum> alone = loss(LossGradient{.scale = 0.25});
  const Pending<LossSum> beside =
      loss({.scale = 0.25, .d_logits = trial.matrix(logits.rows, logits.cols, 1)});
  const Pending<LossSum> over = loss({.scale = 0.25, .d_logits = logits});
  for (const auto& sum : {alone, beside, over}) trial.number(sum.get());
}

TEST(BothDevices, CrossEntropyOfAVocabulary) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto logits = trial.matrix(rows, cols, 2);
      const auto labels =
          trial.indices(static_cast<std::size_t>(rows), static_cast<std::uint64_t>(cols));
      three_times(trial, logits, [&](const LossGradient& gradient) {
        return cross_entropy(trial.context, logits, labels, gradient);
      });
    });
  }
}

TEST(BothDevices, CrossEntropyOfClasses) {
  const std::vector<float> some{0.5F, 2, 0, 1.25F, 1};
  for (const std::int64_t rows : {0, 1, 50}) {
    for (const bool weighted : {false, true}) {
      for (const double smoothing : {0.0, 0.1}) {
        on_both([&](Trial& trial) {
          const auto logits = trial.matrix(rows, 5, 2);
          auto labels = trial.indices(static_cast<std::size_t>(rows), 5);
          const ClassLoss options{.class_weights = weighted ? some : std::span<const float>{},
                                  .smoothing = smoothing,
                                  .ignored = -7};
          for (std::size_t i = 0; i < labels.size(); i += 3) labels[i] = options.ignored;
          three_times(trial, logits, [&](const LossGradient& gradient) {
            return class_cross_entropy(trial.context, logits, labels, options, gradient);
          });
        });
      }
    }
  }
}

TEST(BothDevices, CrossEntropyOfSegments) {
  const std::vector<std::int32_t> ends{0, 7, 8, 40, 42}, labels{3, 0, 31, 1};
  for (const double smoothing : {0.0, 0.1}) {
    for (const std::int64_t column : {0, 1}) {
      on_both([&](Trial& trial) {
        const auto logits = trial.matrix(42, 2, 1);
        three_times(trial, logits, [&](const LossGradient& gradient) {
          return segment_cross_entropy(trial.context, logits, {column, ends, labels, smoothing},
                                       gradient);
        });
      });
    }
  }
}

TEST(BothDevices, LossesOfElements) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto logits = trial.matrix(rows, cols, 2), others = trial.matrix(rows, cols);
      std::vector<float> targets(static_cast<std::size_t>(rows * cols));
      for (auto& target : targets) target = static_cast<float>(trial.random() % 2);
      three_times(trial, logits, [&](const LossGradient& gradient) {
        return binary_cross_entropy(trial.context, logits, targets, gradient);
      });
      three_times(trial, others, [&](const LossGradient& gradient) {
        return squared_error(trial.context, others, targets, gradient);
      });
    });
  }
}

// The optimizers.

OptimizedArrays arrays_of(Trial& trial, std::int64_t count) {
  return {.value = trial.values(count),
          .gradient = trial.values(count),
          .exp_avg = trial.values(count),
          .exp_avg_sq = trial.values(count, 0, true)};
}

constexpr AdamSettings settings_of(bool bias_correction, std::int64_t step) {
  return {
      .learning_rate = 1e-2, .weight_decay = 0.1, .bias_correction = bias_correction, .step = step};
}

template <class Step>
void for_optimizers(const Step& step) {
  for (const bool bias_correction : {true, false}) {
    for (const float scale : {1.0F, 0.25F}) {
      on_both([&](Trial& trial) {
        std::vector<OptimizedArrays> arrays;
        for (const std::int64_t count : {1, 50, 333}) arrays.push_back(arrays_of(trial, count));
        arrays[0].rate = 0.5;
        arrays[1].decay = false;
        const auto rounded = trial.matrix(1, 333, 0, DType::bf16);
        arrays[2].rounded = {reinterpret_cast<BFloat16*>(rounded.data), 333};
        for (std::int64_t i = 1; i < 3; ++i) {
          step(trial, arrays, settings_of(bias_correction, i), scale);
          // Rounded values are the values' own: no comparison of two roundings that may differ.
          const auto value = arrays[2].value;
          const auto got = to_host(trial.context, rounded);
          const auto wanted = to_host(trial.context.device(), value, {333});
          for (std::int64_t at = 0; at < 333; ++at) {
            const auto single = static_cast<float>(element(wanted, at));
            ASSERT_EQ(got.values<BFloat16>()[static_cast<std::size_t>(at)].bits,
                      BFloat16::from(single).bits);
          }
        }
        fill_zero(trial.context, rounded);
      });
    }
  }
}

TEST(BothDevices, AdamW) {
  for_optimizers([](Trial& trial, std::span<const OptimizedArrays> arrays,
                    const AdamSettings& settings,
                    float scale) { adamw(trial.context, arrays, settings, scale); });
}

TEST(BothDevices, Lamb) {
  for_optimizers([](Trial& trial, std::span<const OptimizedArrays> arrays,
                    const AdamSettings& settings,
                    float scale) { lamb(trial.context, arrays, settings, scale); });
}

TEST(BothDevices, AdamWOfSomeRows) {
  const std::vector<std::int32_t> rows{6, 0, 3};
  for (const bool bias_correction : {true, false}) {
    on_both([&](Trial& trial) {
      auto array = arrays_of(trial, 7 * 19);
      array.rate = 2;
      adamw_rows(trial.context, array, 19, rows, settings_of(bias_correction, 3), 0.5F);
    });
  }
}

TEST(BothDevices, AdamWOfOwedSteps) {
  constexpr std::int64_t kRows = 7, kCols = 19;
  // The last row's moments are zero: it has not moved.
  const std::vector<OwedSteps> owed{{0, 0, true}, {3, 2, true}, {5, 4, true}, {6, 1, false}};
  for (const bool bias_correction : {true, false}) {
    for (const bool decay : {true, false}) {
      on_both([&](Trial& trial) {
        auto array = arrays_of(trial, kRows * kCols);
        array.gradient = trial.zeros(kRows * kCols);
        array.decay = decay;
        const auto last = [&](std::span<float> values) {
          return Matrix{reinterpret_cast<std::byte*>(values.data() + 6 * kCols), DType::f32, 1,
                        kCols, kCols};
        };
        fill_zero(trial.context, last(array.exp_avg));
        fill_zero(trial.context, last(array.exp_avg_sq));
        std::vector<AdamSettings> steps;
        for (std::int64_t i = 1; i <= 4; ++i) {
          steps.push_back(settings_of(bias_correction, i));
          steps.back().learning_rate /= static_cast<double>(i);
        }
        adamw_owed(trial.context, array, kCols, owed, steps);
      });
    }
  }
}

TEST(BothDevices, SumsOfSquares) {
  on_both([](Trial& trial) {
    const auto a = trial.values(1), b = trial.values(70000), c = trial.values(7 * 19);
    const std::array<std::span<const float>, 3> arrays{a, b, c};
    const std::vector<std::int32_t> rows{6, 0, 3};
    trial.number(sum_of_squares(trial.context, arrays).get());
    trial.number(sum_of_squares(trial.context, {}).get());
    trial.number(sum_of_squares(trial.context, c, 19, rows).get());
  });
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Trial trial(second());
    const auto values = trial.values(5);
    copy_in(second(), std::array{1.0F, bad}, values.subspan(2, 2));
    const std::array<std::span<const float>, 1> arrays{values};
    EXPECT_FALSE(std::isfinite(sum_of_squares(trial.context, arrays).get()));
  }
}

}  // namespace
}  // namespace cloze::ops
