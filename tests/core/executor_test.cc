// The threads that all callers share: how many compute at once, who waits, who helps whom, and what
// happens when the system gives fewer.
#include "core/threads/executor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>

#include "core/child_process.h"
#include "core/parallel.h"
#include "core/threads/seats.h"

namespace cloze {
namespace {

using namespace std::chrono_literals;
using testing::in_child;

/// A test that says how many threads there are; afterwards it is the default again.
class ThreadExecutor : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }
};

/// How many are inside at once, and the most that ever were.
class Crowd {
 public:
  void come() {
    const int now = now_.fetch_add(1) + 1;
    int most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void go() { now_.fetch_sub(1); }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::atomic<int> now_ = 0, most_ = 0;
};

std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::vector<std::thread> start(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  return threads;
}

void join(std::vector<std::thread>& threads) {
  for (auto& thread : threads) thread.join();
}

TEST(ThreadSeats, GoToCallersInTheOrderInWhichTheyCame) {
  Seats seats(1);
  seats.take();
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      seats.take();
      order.push_back(i);  // the seat guards it
      seats.give_back();
    });
    while (seats.waiting() != i + 1) std::this_thread::yield();
  }
  seats.give_back();
  join(threads);
  std::vector<int> expected(8);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
  EXPECT_TRUE(seats.any_free());
}

TEST(ThreadSeats, AreForHelpersOnlyWhileNobodyWaits) {
  Seats seats(2);
  ASSERT_TRUE(seats.try_take());
  seats.take();
  EXPECT_FALSE(seats.any_free());
  EXPECT_FALSE(seats.try_take());
  EXPECT_FALSE(seats.wanted());
  std::thread caller([&] { seats.take(); });
  while (!seats.wanted()) std::this_thread::yield();
  EXPECT_FALSE(seats.try_take());
  seats.give_back();
  caller.join();
  EXPECT_FALSE(seats.wanted());
  EXPECT_FALSE(seats.try_take());
  seats.give_back();
  EXPECT_TRUE(seats.try_take());
}

TEST(ThreadSeats, AreNeverMoreThanThereAre) {
  Seats seats(3);
  Crowd crowd;
  auto threads = start(16, [&](int i) {
    for (int round = 0; round < 500; ++round) {
      if (i % 2 == 0) {
        seats.take();
      } else if (!seats.try_take()) {
        continue;
      }
      crowd.come();
      crowd.go();
      seats.give_back();
    }
  });
  join(threads);
  EXPECT_LE(crowd.most(), 3);
  EXPECT_EQ(seats.waiting(), 0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(seats.try_take());
  EXPECT_FALSE(seats.try_take());
}

TEST_F(ThreadExecutor, LetsNoMoreThreadsComputeThanItHas) {
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Crowd crowd;
    std::atomic<std::int64_t> pieces = 0;
    auto callers = start(32, [&](int) {
      for (int call = 0; call < 5; ++call) {
        const Computation computation;
        crowd.come();  // the caller, from its seat on
        for (int run = 0; run < 4; ++run) {
          parallel_for(16, 1, [&](std::int64_t) {
            if (worker_index() > 0) crowd.come();
            std::this_thread::sleep_for(20us);
            pieces.fetch_add(1);
            if (worker_index() > 0) crowd.go();
          });
        }
        crowd.go();
      }
    });
    join(callers);
    EXPECT_LE(crowd.most(), threads);
    EXPECT_EQ(pieces.load(), 32 * 5 * 4 * 16);
  }
}

TEST_F(ThreadExecutor, GivesALoneCallerAllThreads) {
  set_num_threads(3);
  std::atomic<int> arrived = 0;
  // Each of the three bodies waits for the others: fewer threads would never finish.
  parallel_for(3, 1, [&](std::int64_t) {
    arrived.fetch_add(1);
    while (arrived.load() < 3) std::this_thread::yield();
  });
  EXPECT_EQ(arrived.load(), 3);
}

TEST_F(ThreadExecutor, GivesEachOfAsManyCallersAThreadAtOnce) {
  set_num_threads(3);
  std::atomic<int> inside = 0;
  auto callers = start(3, [&](int) {
    const Computation computation;
    inside.fetch_add(1);
    while (inside.load() < 3) std::this_thread::yield();
  });
  join(callers);
  EXPECT_EQ(inside.load(), 3);
}

TEST_F(ThreadExecutor, WorkersMakeRoomForACallerBetweenPieces) {
  set_num_threads(2);
  std::atomic<bool> helped = false, seated = false, in_time = false, over = false;
  std::thread other;
  parallel_for(5'000, 1, [&](std::int64_t index) {
    if (seated) {
      in_time = true;  // a piece of the run begins after the other caller has its seat
      return;
    }
    if (worker_index() > 0) helped = true;
    if (index == 0) {
      other = std::thread([&] {
        while (!helped && !over) std::this_thread::yield();
        const Computation computation;
        seated = true;
      });
    }
    std::this_thread::sleep_for(1ms);
  });
  over = true;
  other.join();
  EXPECT_TRUE(in_time) << "the worker kept its seat to the end";
}

TEST_F(ThreadExecutor, WorkersComeWhenACallerLeaves) {
  set_num_threads(2);
  std::latch both(2);
  std::atomic<bool> helped = false, begun = false;
  std::thread other([&] {
    const Computation computation;
    both.arrive_and_wait();
    while (!begun) std::this_thread::yield();
  });
  {
    const Computation computation;
    both.arrive_and_wait();
    // One run: only the other caller's leaving tells the worker that there is a seat for it.
    parallel_for(5'000, 1, [&](std::int64_t) {
      begun = true;
      if (worker_index() > 0) helped = true;
      if (!helped) std::this_thread::sleep_for(1ms);
    });
  }
  other.join();
  EXPECT_TRUE(helped);
}

// As libgomp ends it from whichever thread gets no memory.
TEST(ThreadExecutorDeathTest, AWorkerMayEndTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // One thread alone ends the process: `exit` from two at once is undefined behaviour. The others
  // compute until the end.
  const auto end_from_worker = [] {
    set_num_threads(4);
    std::atomic<bool> ended = false;
    while (true) {
      parallel_for(64, 1, [&ended](std::int64_t) {
        if (worker_index() > 0 && !ended.exchange(true)) {
          std::exit(3);  // NOLINT(concurrency-mt-unsafe)
        }
        std::this_thread::sleep_for(1ms);
      });
    }
  };
  EXPECT_EXIT(end_from_worker(), ::testing::ExitedWithCode(3), "");
}

TEST_F(ThreadExecutor, AllCallersShareTheWorkers) {
  set_num_threads(3);
  std::thread([] {}).join();  // with the first thread a sanitizer starts one of its own
  const auto before = threads_of_process();
  constexpr int kCallers = 32;
  std::latch computed(kCallers), counted(1);
  auto callers = start(kCallers, [&](int) {
    parallel_for(64, 1, [](std::int64_t) { std::this_thread::sleep_for(10us); });
    computed.count_down();
    counted.wait();
  });
  computed.wait();
  const auto during = threads_of_process();
  counted.count_down();
  join(callers);
  EXPECT_EQ(during - before, kCallers + 2U);
  // Another number ends those that nobody needs any more.
  set_num_threads(1);
  EXPECT_EQ(threads_of_process(), before);
}

TEST_F(ThreadExecutor, NumbersThreadsWithinARunFromTheCallerOn) {
  set_num_threads(4);
  auto callers = start(6, [&](int) {
    const auto self = std::this_thread::get_id();
    for (int run = 0; run < 50; ++run) {
      std::vector<std::atomic<int>> at_once(4);
      parallel_for(40, 1, [&](std::int64_t) {
        const auto worker = static_cast<std::size_t>(worker_index());
        ASSERT_LT(worker, 4U);
        EXPECT_EQ(worker == 0, std::this_thread::get_id() == self);
        EXPECT_EQ(at_once[worker].fetch_add(1), 0) << "two threads of one number";
        EXPECT_TRUE(in_parallel());
        EXPECT_EQ(num_threads(), 4);
        at_once[worker].fetch_sub(1);
      });
      EXPECT_FALSE(in_parallel());
    }
  });
  join(callers);
}

TEST_F(ThreadExecutor, CallersGetTheirOwnExceptions) {
  set_num_threads(3);
  auto callers = start(8, [&](int caller) {
    for (int run = 0; run < 50; ++run) {
      std::atomic<int> finished = 0;
      try {
        parallel_for(30, 1, [&](std::int64_t i) {
          if (i == 11) throw std::runtime_error(std::to_string(caller));
          finished.fetch_add(1);
        });
        ADD_FAILURE() << "no exception";
      } catch (const std::runtime_error& failure) {
        EXPECT_EQ(failure.what(), std::to_string(caller));
      }
      EXPECT_EQ(finished.load(), 29);
    }
  });
  join(callers);
}

TEST_F(ThreadExecutor, AnotherNumberTakesEffectBetweenComputations) {
  set_num_threads(3);
  {
    const Computation computation;
    set_num_threads(2);
    EXPECT_EQ(num_threads(), 3);
    std::atomic<int> arrived = 0;
    parallel_for(3, 1, [&](std::int64_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 3) std::this_thread::yield();
    });
    const Computation inner;
    EXPECT_EQ(num_threads(), 3);
  }
  EXPECT_EQ(num_threads(), 2);
  // The number is the process's: other threads see it too.
  std::thread([] { EXPECT_EQ(num_threads(), 2); }).join();
}

TEST_F(ThreadExecutor, MayBeResizedWhileOthersCompute) {
  std::atomic<bool> done = false;
  std::atomic<std::int64_t> calls = 0;
  auto callers = start(6, [&](int) {
    while (!done) {
      const Computation computation;
      const int threads = num_threads();
      for (int run = 0; run < 3; ++run) {
        std::atomic<std::int64_t> sum = 0;
        parallel_for(100, 3, [&](std::int64_t i) {
          EXPECT_EQ(num_threads(), threads);
          EXPECT_LT(worker_index(), threads);
          sum.fetch_add(i);
        });
        EXPECT_EQ(sum.load(), 4950);
      }
      calls.fetch_add(1);
    }
  });
  for (int round = 0; round < 200; ++round) {
    set_num_threads(1 + round % 5);
    std::this_thread::sleep_for(500us);
  }
  done = true;
  join(callers);
  EXPECT_GT(calls.load(), 6);
}

TEST_F(ThreadExecutor, AThreadMayHaveThreadsOfItsOwn) {
  set_num_threads(2);
  {
    const OwnThreads own(4);
    EXPECT_EQ(num_threads(), 4);
    std::thread([] { EXPECT_EQ(num_threads(), 2); }).join();
    std::atomic<int> arrived = 0;
    parallel_for(4, 1, [&](std::int64_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 4) std::this_thread::yield();
    });
    {
      const OwnThreads inner(1);
      EXPECT_EQ(num_threads(), 1);
    }
    EXPECT_EQ(num_threads(), 4);
    EXPECT_TRUE(own.status().problem.empty());
  }
  EXPECT_EQ(num_threads(), 2);
}

TEST_F(ThreadExecutor, LeavesTheCallersOpenMpAlone) {
  set_num_threads(2);
  omp_set_num_threads(3);
  std::vector<int> seen(2);
  std::atomic<int> arrived = 0;
  parallel_for(2, 1, [&](std::int64_t) {
    seen[static_cast<std::size_t>(worker_index())] = omp_get_max_threads();
    arrived.fetch_add(1);
    while (arrived.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(seen[1], 1) << "a library that a worker calls must not start a team";
  EXPECT_EQ(omp_get_max_threads(), 3);
  EXPECT_EQ(num_threads(), 2);
}

TEST_F(ThreadExecutor, GoesOnWithFewerThreadsThanWanted) {
  for (const int granted : {0, 1, 2}) {
    int left = granted;
    Executor executor(4, [&left](std::function<void()> work) {
      if (left-- == 0) {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      }
      return std::thread(std::move(work));
    });
    EXPECT_TRUE(executor.status().problem.empty()) << "nothing has been asked for";
    auto& slot = executor.enter();
    std::vector<int> calls(100);
    const auto body = [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; };
    executor.run(slot, 100, 7, body);
    executor.run(slot, 100, 1, body);
    executor.leave(slot);
    EXPECT_EQ(calls, std::vector<int>(100, 2));
    const auto status = executor.status();
    EXPECT_EQ(status.wanted, 4);
    EXPECT_EQ(status.running, granted + 1);
    EXPECT_NE(status.problem.find("threads wanted"), std::string::npos) << status.problem;
    EXPECT_EQ(executor.threads(), 4) << "what decides how work is divided stays";
  }
}

TEST_F(ThreadExecutor, SurvivesALimitOnProcesses) {
  if (!testing::kForksWithThreads) GTEST_SKIP() << testing::kNoThreadsAfterFork;
  constexpr int kNotEnforced = 10, kCannotBecome = 11;
  const int code = in_child([] {
    // The limit does not hold for root.
    const rlimit none{1, 1};
    constexpr uid_t kSomebody = 64'321;
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return kCannotBecome;
    if (::getuid() == 0 && ::setuid(kSomebody) != 0) return kCannotBecome;
    set_num_threads(4);
    std::atomic<int> calls = 0;
    parallel_for(100, 1, [&](std::int64_t) { calls.fetch_add(1); });
    if (calls != 100) return 1;
    const auto status = thread_status();
    if (status.running == status.wanted) return kNotEnforced;
    if (status.wanted != 4 || status.running != 1 || status.problem.empty()) return 2;
    return num_threads() == 4 ? 0 : 3;
  });
  if (code == kCannotBecome) GTEST_SKIP() << "this user cannot lower its limit on processes";
  if (code == kNotEnforced) GTEST_SKIP() << "the system does not enforce a limit on processes";
  EXPECT_EQ(code, 0);
}

TEST(Executor, SignalsAreLeftToTheProgramsThreads) {
  Executor executor(2);
  auto& slot = executor.enter();
  std::atomic<int> arrived = 0, blocked = 0, faults = 0;
  const auto look = [&](std::int64_t) {
    arrived.fetch_add(1);
    while (arrived.load() < 2) std::this_thread::yield();  // one piece for each thread
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    if (::sigismember(&mask, SIGTERM) == 1) blocked.fetch_add(1);
    if (::sigismember(&mask, SIGSEGV) == 1) faults.fetch_add(1);
  };
  executor.run(slot, 2, 1, look);
  executor.leave(slot);
  EXPECT_EQ(blocked, 1);
  EXPECT_EQ(faults, 0);
}

}  // namespace
}  // namespace cloze
