// A thread that OpenMP gets no memory for: an exception, where libgomp would end the process.
#include "core/threads/openmp.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>

#include "core/child_process.h"

namespace cloze {
namespace {

constexpr int kSet = 10, kBadAlloc = 11, kNoLimit = 12;

/// What `set` does on a new thread of a process that has used up its memory.
int without_memory(void (*set)(int)) {
  std::atomic<bool> used_up = false;
  std::atomic<int> result = 0;
  std::thread worker([&] {
    while (!used_up) std::this_thread::yield();
    try {
      set(1);
      result = kSet;
    } catch (const std::bad_alloc&) {
      result = kBadAlloc;
    }
  });
  const rlimit none{1, 1};
  if (::setrlimit(RLIMIT_AS, &none) != 0) return kNoLimit;
  void* volatile block = nullptr;  // a compiler may leave out a block that nobody looks at
  for (std::size_t size = 1 << 20; size >= 16; size /= 2) {
    do block = std::malloc(size);
    while (block != nullptr);
  }
  used_up = true;
  worker.join();
  return result;
}

TEST(OpenMp, AThreadWithoutMemoryThrows) {
  if (!testing::kForksWithThreads) GTEST_SKIP() << testing::kNoThreadsAfterFork;
  EXPECT_EQ(testing::in_child([] { return without_memory(set_openmp_threads); }), kBadAlloc);
}

TEST(OpenMp, TheRuntimeItselfEndsTheProcess) {
  if (!testing::kForksWithThreads) GTEST_SKIP() << testing::kNoThreadsAfterFork;
  EXPECT_EQ(testing::in_child([] { return without_memory(::omp_set_num_threads); }), EXIT_FAILURE)
      << "libgomp has learnt to go on: set_openmp_threads is needed no more";
}

TEST(OpenMp, EachThreadHasANumberOfItsOwn) {
  const int before = omp_get_max_threads();
  std::thread([] {
    set_openmp_threads(3);
    EXPECT_EQ(omp_get_max_threads(), 3);
    set_openmp_threads(1);
    EXPECT_EQ(omp_get_max_threads(), 1);
  }).join();
  EXPECT_EQ(omp_get_max_threads(), before);
}

}  // namespace
}  // namespace cloze
