#include "core/parallel.h"

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"

namespace cloze {
namespace {

using ::testing::Each;

/// Restores the calling thread's number of threads.
struct ThreadsGuard {
  int before = num_threads();
  ThreadsGuard() = default;
  ThreadsGuard(const ThreadsGuard&) = delete;
  ThreadsGuard& operator=(const ThreadsGuard&) = delete;
  ThreadsGuard(ThreadsGuard&&) = delete;
  ThreadsGuard& operator=(ThreadsGuard&&) = delete;
  ~ThreadsGuard() { set_num_threads(before); }
};

TEST(Parallel, SetsAndTellsTheNumberOfThreads) {
  const ThreadsGuard guard;
  set_num_threads(3);
  EXPECT_EQ(num_threads(), 3);
  set_num_threads(0);
  EXPECT_GE(num_threads(), 1);
  EXPECT_LE(num_threads(), static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_THROW(set_num_threads(-1), ArgumentError);
  EXPECT_THROW(set_num_threads(4097), ArgumentError);
}

TEST(ParallelFor, CallsEveryIndexOnce) {
  const ThreadsGuard guard;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (const std::int64_t count : {0, 1, 2, 7, 64, 1000}) {
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
        parallel_for(count, grain,
                     [&calls](std::int64_t i) { calls[static_cast<std::size_t>(i)].fetch_add(1); });
        std::vector<int> seen(calls.begin(), calls.end());
        ASSERT_THAT(seen, Each(1)) << threads << " threads, " << count << " by " << grain;
      }
    }
  }
}

TEST(ParallelFor, UsesSeveralThreads) {
  const ThreadsGuard guard;
  set_num_threads(2);
  std::atomic<int> arrived{0};
  // Each of the two bodies waits for the other: one thread alone would never finish.
  parallel_for(2, 1, [&arrived](std::int64_t) {
    arrived.fetch_add(1);
    while (arrived.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived.load(), 2);
}

TEST(ParallelFor, RethrowsAfterTheOthersHaveFinished) {
  const ThreadsGuard guard;
  set_num_threads(2);
  std::atomic<int> finished{0};
  EXPECT_THROW(parallel_for(100, 1,
                            [&finished](std::int64_t i) {
                              if (i == 10) throw std::runtime_error("ten");
                              finished.fetch_add(1);
                            }),
               std::runtime_error);
  EXPECT_EQ(finished.load(), 99);
  // And works again afterwards.
  finished = 0;
  parallel_for(100, 1, [&finished](std::int64_t) { finished.fetch_add(1); });
  EXPECT_EQ(finished.load(), 100);
}

}  // namespace
}  // namespace cloze
