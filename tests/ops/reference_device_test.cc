// The second device of the tests: the host cannot touch its memory, and what it is given must lie
// there.
#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "ops/both_devices.h"
#include "reference/device.h"

namespace cloze::ops {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

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

}  // namespace
}  // namespace cloze::ops
