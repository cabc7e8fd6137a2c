#include "core/threads/process_executor.h"

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <pthread.h>

#include "cloze/error.h"
#include "cloze/threads.h"
#include "core/parallel.h"
#include "core/threads/cpu_count.h"
#include "core/threads/executor.h"
#include "core/threads/fork_gate.h"
#include "core/threads/thread_role.h"

namespace cloze {
namespace {

struct Process {
  std::atomic<int> threads = 0;  ///< 0: the default has not been looked up yet
  std::mutex guard;              ///< taken with a ForkPass only: it is free in every child
  std::shared_ptr<Executor> executor;
  std::string problem;                                 ///< with threads that are not the executor's
  std::vector<std::shared_ptr<Executor>> left_behind;  ///< never destroyed
};

/// Never destroyed: threads may compute while the process ends.
Process& process() {
  // NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): that is what it is for
  static auto& only = *new Process;
  return only;
}

std::shared_ptr<Executor> take_executor() {
  const ForkPass pass;
  const std::lock_guard lock(process().guard);
  return std::move(process().executor);
}

// The child has the forking thread alone. Workers stay behind; new ones come when there is work.
void after_fork_in_child() {
  leave_behind(process().executor);
  process().executor = nullptr;
  if (auto* own = thread_role().own) own->renew();
}

/// From the load of the library to its end: who computes nothing leaves no thread behind.
struct Lifetime {
  Lifetime() {
    static_cast<void>(process());
    // Fails for lack of memory alone.
    ::pthread_atfork(nullptr, nullptr, after_fork_in_child);
  }
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;
  Lifetime(Lifetime&&) = delete;
  Lifetime& operator=(Lifetime&&) = delete;
  ~Lifetime() {
    const auto executor = take_executor();
    // A library may end the process from within a run, as libgomp does where it gets no memory. The
    // run's other threads still compute, and the calling thread cannot wait for itself: the executor
    // lives on, and the end of the process takes its threads.
    if (thread_role().in_parallel) leave_behind(executor);
  }
};
const Lifetime lifetime;

}  // namespace

void leave_behind(const std::shared_ptr<Executor>& executor) {
  if (!executor) return;
  process().left_behind.push_back(executor);  // an owner that never lets go
}

int process_threads() {
  auto& threads = process().threads;
  const int known = threads.load();
  if (known > 0) return known;
  int unknown = 0;
  const int count = default_threads();
  return threads.compare_exchange_strong(unknown, count) ? count : unknown;
}

std::shared_ptr<Executor> process_executor() {
  static_cast<void>(process_threads());  // known from here on; outside of the lock, it reads files
  const ForkPass pass;
  const std::lock_guard lock(process().guard);
  auto& executor = process().executor;
  if (!executor) executor = std::make_shared<Executor>(process().threads.load());
  return executor;
}

void set_num_threads(int count) {
  if (count < 0 || count > kMostThreads) {
    throw ArgumentError(fmt::format("{} is not a number of threads: 1 to {}, or 0 for the default",
                                    count, kMostThreads));
  }
  const int threads = count > 0 ? count : default_threads();
  std::shared_ptr<Executor> old;  // destroyed after the lock, if nobody computes with it
  const ForkPass pass;
  const std::lock_guard lock(process().guard);
  process().threads = threads;
  process().problem.clear();
  const auto& executor = process().executor;
  if (executor && (executor->threads() != threads || !executor->status().problem.empty())) {
    old = std::move(process().executor);
  }
}

ThreadStatus thread_status() {
  const int threads = process_threads();
  const ForkPass pass;
  const std::lock_guard lock(process().guard);
  const auto& executor = process().executor;
  auto status = executor ? executor->status() : ThreadStatus{threads, threads, {}};
  if (status.problem.empty()) status.problem = process().problem;
  return status;
}

void note_missing_threads(int wanted, int running, std::string_view cause) {
  auto problem = missing_threads(wanted, running, cause);
  const ForkPass pass;
  const std::lock_guard lock(process().guard);
  process().problem = std::move(problem);
}

}  // namespace cloze
