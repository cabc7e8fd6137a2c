#include "core/threads/executor.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "core/threads/openmp.h"
#include "core/threads/thread_role.h"

namespace cloze {

namespace {

/// Threads that start while it lives leave signals to the program's own threads: a handler would write
/// below the stack pointer, where kernels that oneDNN generates keep values. Faults are not left out.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
      ::sigdelset(&all, fault);
    }
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  BlockedSignals(BlockedSignals&&) = delete;
  BlockedSignals& operator=(BlockedSignals&&) = delete;
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

ThreadRole& thread_role() {
  constinit thread_local ThreadRole mine;
  return mine;
}

std::string missing_threads(int wanted, int running, std::string_view cause) {
  return fmt::format(
      "the system gave {} of the {} threads wanted ({}): raise the limit on processes, or ask for "
      "fewer threads",
      running, wanted, cause);
}

Executor::Executor(int threads, StartThread start_thread)
    : threads_(threads),
      start_thread_(std::move(start_thread)),
      status_{.wanted = threads, .running = threads, .problem = {}},
      slots_(std::make_unique<RunSlot[]>(static_cast<std::size_t>(threads))),
      seats_(threads) {
  if (!start_thread_) {
    start_thread_ = [](std::function<void()> work) { return std::thread(std::move(work)); };
  }
}

Executor::~Executor() {
  stopping_ = true;
  call_workers();
  for (auto& worker : workers_) worker.join();
}

void Executor::start_workers() {
  std::call_once(started_, [this] {
    const BlockedSignals blocked;
    try {
      workers_.reserve(static_cast<std::size_t>(threads_) - 1);
      for (int worker = 1; worker < threads_; ++worker) {
        workers_.push_back(start_thread_([this, worker] { serve(worker); }));
      }
    } catch (const std::exception& failure) {
      // Those that there are take the work of all: the results are the same, later.
      const std::lock_guard lock(status_guard_);
      status_.running -= threads_ - 1 - static_cast<int>(workers_.size());
      status_.problem = failure.what();
    }
  });
}

ThreadStatus Executor::status() const {
  const std::lock_guard lock(status_guard_);
  auto status = status_;
  if (status.running < status.wanted) {
    if (status.problem.empty()) status.problem = "not enough memory";
    status.problem = missing_threads(status.wanted, status.running, status.problem);
  }
  return status;
}

RunSlot& Executor::enter() {
  seats_.take();
  callers_.fetch_add(1);
  // There are as many slots as seats, so one is free; who leaves frees the slot before the seat.
  for (int slot = 0;; slot = (slot + 1) % threads_) {
    if (slots_[static_cast<std::size_t>(slot)].claim()) {
      return slots_[static_cast<std::size_t>(slot)];
    }
  }
}

void Executor::leave(RunSlot& slot) {
  slot.leave();
  seats_.give_back();
  // A worker may now help those that still compute.
  if (callers_.fetch_sub(1) > 1 && seats_.any_free()) call_workers();
}

void Executor::run(RunSlot& slot, std::int64_t count, std::int64_t grain,
                   const RunSlot::Body& body) {
  start_workers();
  slot.begin(count, grain, body);
  // Without a free seat nobody could come. A worker that gives its seat back looks for more work
  // by itself, and a caller that leaves calls the workers.
  if (seats_.any_free()) call_workers();
  auto& role = thread_role();
  role.in_parallel = true;
  try {
    slot.finish();
  } catch (...) {
    role.in_parallel = false;
    throw;
  }
  role.in_parallel = false;
}

void Executor::call_workers() {
  signal_.fetch_add(1);
  signal_.notify_all();
}

void Executor::serve(int worker) {
  try {
    set_openmp_threads(1);  // oneDNN stays on this thread
  } catch (const std::bad_alloc&) {
    // As if the system had not given this thread. There is no memory to say so: `status` does.
    const std::lock_guard lock(status_guard_);
    --status_.running;
    return;
  }
  auto& role = thread_role();
  role.in_parallel = true;
  role.worker = worker;
  role.threads = threads_;
  while (true) {
    const std::uint32_t seen = signal_.load();
    if (stopping_) return;
    if (help(worker)) continue;
    for (int spin = 0; signal_.load() == seen; ++spin) {
      if (spin < kSpins && seats_.any_free()) {
        pause_briefly();
      } else {
        signal_.wait(seen);
      }
    }
  }
}

/// Takes part in every run that is open; false where there is none, or no seat.
bool Executor::help(int worker) {
  bool helped = false;
  // Callers take the first slots that are free; workers spread over them.
  const int first = worker % std::max(1, callers_.load());
  for (int i = 0; i < threads_; ++i) {
    auto& slot = slots_[static_cast<std::size_t>((first + i) % threads_)];
    if (!slot.open()) continue;
    if (!seats_.try_take()) break;
    slot.help(seats_);
    seats_.give_back();
    helped = true;
  }
  return helped;
}

}  // namespace cloze
