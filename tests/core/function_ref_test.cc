#include "core/function_ref.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

#include <gtest/gtest.h>

namespace cloze::testing {
namespace {

int call(FunctionRef<int(int)> function, int value) { return function(value); }

int twice(int value) { return 2 * value; }

TEST(FunctionRef, CallsWhatItWasGiven) {
  int calls = 0;
  auto counting = [&calls](int value) { return value + ++calls; };
  EXPECT_EQ(call(counting, 10), 11);
  EXPECT_EQ(call(counting, 10), 12);  // the object itself, not a copy
  EXPECT_EQ(calls, 2);
  int (*const pointer)(int) = twice;
  EXPECT_EQ(call(pointer, 4), 8);
  const std::function<int(int)> function = twice;
  EXPECT_EQ(call(function, 5), 10);
  EXPECT_EQ(call([](int value) { return value - 1; }, 5), 4);
}

TEST(FunctionRef, ChangesTheStateOfAMutableObject) {
  auto counter = [count = 0](int step) mutable { return count += step; };
  EXPECT_EQ(call(counter, 2), 2);
  EXPECT_EQ(call(counter, 3), 5);
}

TEST(FunctionRef, ForwardsReferencesAndMoves) {
  int target = 1;
  const auto assign = [](int& to, std::unique_ptr<int> value) { to = *value; };
  const FunctionRef<void(int&, std::unique_ptr<int>)> reference = assign;
  reference(target, std::make_unique<int>(7));
  EXPECT_EQ(target, 7);
}

TEST(FunctionRef, IsTwoWordsHoweverMuchIsCaptured) {
  const std::array<std::int64_t, 32> much = {5, 6};
  const auto big = [much](int value) { return static_cast<int>(much[1]) + value; };
  static_assert(sizeof(big) > sizeof(std::function<int(int)>));
  static_assert(sizeof(FunctionRef<int(int)>) == 2 * sizeof(void*));
  static_assert(std::is_trivially_copyable_v<FunctionRef<int(int)>>);
  EXPECT_EQ(call(big, 1), 7);
}

}  // namespace
}  // namespace cloze::testing
