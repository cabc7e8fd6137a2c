// A process may fork after it has computed, from any thread, and while others compute.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "core/child_process.h"
#include "core/parallel.h"
#include "core/threads/fork_gate.h"

namespace cloze {
namespace {

using testing::ending_of;
using testing::in_child;

constexpr int kForks = 50;

/// 0 for right sums.
int compute() {
  std::atomic<std::int64_t> sum = 0;
  for (int run = 0; run < 20; ++run) {
    sum = 0;
    parallel_for(1000, 10, [&](std::int64_t i) { sum.fetch_add(i); });
    if (sum != 499'500) return 1;
  }
  return 0;
}

/// The same, and two threads wait for each other: one thread alone would never finish. For a child,
/// where nobody else has a seat.
int compute_together() {
  std::atomic<int> arrived = 0;
  parallel_for(2, 1, [&](std::int64_t) {
    arrived.fetch_add(1);
    while (arrived.load() < 2) std::this_thread::yield();
  });
  return compute();
}

class Fork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kForksWithThreads) GTEST_SKIP() << testing::kNoThreadsAfterFork;
    set_num_threads(2);
    ASSERT_EQ(compute(), 0);
  }
  void TearDown() override { set_num_threads(0); }

  static void fork_often() {
    for (int i = 0; i < kForks; ++i) {
      ASSERT_EQ(in_child(compute_together, ending_of(i)), 0);
      ASSERT_EQ(compute(), 0) << "in the parent, after a fork";
    }
  }
};

TEST_F(Fork, AChildOfTheMainThreadComputes) { fork_often(); }

TEST_F(Fork, AChildOfAnotherThreadComputes) { std::thread(fork_often).join(); }

TEST_F(Fork, AChildComputesThoughOthersComputedAtTheFork) {
  std::atomic<bool> done = false;
  const auto busy = [&] {
    while (!done) ASSERT_EQ(compute(), 0);
  };
  std::thread one(busy), two(busy), three(busy);
  // Other locks that may be taken: the number of threads, the gate itself.
  std::thread resizing([&] {
    for (int i = 0; !done; ++i) {
      set_num_threads(2 + i % 2);
      const ForkPass pass;
      std::this_thread::yield();
    }
  });
  fork_often();
  done = true;
  for (auto* thread : {&one, &two, &three, &resizing}) thread->join();
}

TEST_F(Fork, AChildOfAChildComputes) {
  EXPECT_EQ(in_child([] {
              if (compute() != 0) return 1;
              return in_child(compute_together);
            }),
            0);
}

TEST_F(Fork, AChildKeepsTheNumberOfThreads) {
  set_num_threads(3);
  EXPECT_EQ(in_child([] { return num_threads() == 3 && compute_together() == 0 ? 0 : 1; }), 0);
}

TEST_F(Fork, AChildHasTheThreadsOfItsOwnToo) {
  const OwnThreads outer(2);
  const OwnThreads inner(3);
  EXPECT_EQ(in_child([] { return num_threads() == 3 && compute_together() == 0 ? 0 : 1; }), 0);
}

TEST_F(Fork, WaitsForWhoMustNotBeInterrupted) {
  std::atomic<bool> inside = false, left = false;
  std::thread other([&] {
    const ForkPass pass;
    const ForkPass nested;
    inside = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    left = true;
  });
  while (!inside) std::this_thread::yield();
  EXPECT_EQ(in_child([&] { return left ? 0 : 1; }), 0);
  other.join();
  EXPECT_EQ(in_child([] {
              const ForkPass pass;  // free in the child
              return 0;
            }),
            0);
}

TEST_F(Fork, SeveralThreadsMayForkAtOnce) {
  std::thread one(fork_often), two(fork_often);
  one.join();
  two.join();
}

}  // namespace
}  // namespace cloze
