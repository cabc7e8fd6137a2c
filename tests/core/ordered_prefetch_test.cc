#include "core/ordered_prefetch.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace cloze {
namespace {

using namespace std::chrono_literals;

TEST(OrderedPrefetch, GivesItemsInOrder) {
  for (const int threads : {0, 1, 2, 4}) {
    OrderedPrefetch<std::int64_t> prefetch(
        [](std::int64_t number, const std::atomic<bool>&) {
          std::this_thread::sleep_for(number % 3 * 100us);  // so that some are ready early
          return number * number;
        },
        {5, 105}, threads, 3);
    for (std::int64_t number = 5; number < 105; ++number) {
      ASSERT_EQ(prefetch.next(), number * number);
    }
  }
}

TEST(OrderedPrefetch, GoesNoFurtherAheadThanAsked) {
  std::atomic<std::int64_t> most = 0;
  OrderedPrefetch<std::int64_t> prefetch(
      [&](std::int64_t number, const std::atomic<bool>&) {
        for (auto old = most.load(); number > old && !most.compare_exchange_weak(old, number);) {
        }
        return number;
      },
      {}, 2, 4);
  for (std::int64_t taken = 0; taken < 50; ++taken) {
    EXPECT_EQ(prefetch.next(), taken);
    EXPECT_LE(most, taken + 4);
  }
}

TEST(OrderedPrefetch, RethrowsInItsPlaceAndKeepsDoingSo) {
  for (const int threads : {0, 1, 3}) {
    OrderedPrefetch<int> prefetch(
        [](std::int64_t number, const std::atomic<bool>&) -> int {
          if (number == 3) throw std::runtime_error("three");
          return static_cast<int>(number);
        },
        {}, threads, 8);
    for (int number = 0; number < 3; ++number) ASSERT_EQ(prefetch.next(), number);
    EXPECT_THROW(static_cast<void>(prefetch.next()), std::runtime_error);
    EXPECT_THROW(static_cast<void>(prefetch.next()), std::runtime_error);
  }
}

TEST(OrderedPrefetch, CountsWaiting) {
  OrderedPrefetch<int> prefetch(
      [](std::int64_t number, const std::atomic<bool>&) {
        std::this_thread::sleep_for(20ms);
        return static_cast<int>(number);
      },
      {}, 1, 2);
  static_cast<void>(prefetch.next());
  EXPECT_GT(prefetch.first_wait(), 0.005);
  EXPECT_EQ(prefetch.waits(), 0);
  for (int i = 0; i < 5; ++i) static_cast<void>(prefetch.next());
  EXPECT_GT(prefetch.waits(), 2);
  EXPECT_GT(prefetch.waited(), 0.03);
}

TEST(OrderedPrefetch, StopsThreadsThatAreAtWork) {
  std::atomic<int> stopped = 0;
  {
    const OrderedPrefetch<int> prefetch(
        [&](std::int64_t, const std::atomic<bool>& stop) {
          while (!stop) std::this_thread::sleep_for(100us);
          return ++stopped;
        },
        {}, 2, 2);
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_LE(stopped, 2);
}

}  // namespace
}  // namespace cloze
