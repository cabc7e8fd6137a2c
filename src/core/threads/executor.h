/// \file
/// The threads that compute: workers that many callers share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cloze/threads.h"
#include "core/threads/run_slot.h"
#include "core/threads/seats.h"

namespace cloze {

/// What there is to say where the system refused threads, for `cause`.
[[nodiscard]] std::string missing_threads(int wanted, int running, std::string_view cause);

/// Of size N: N seats, N slots for runs, and N - 1 workers, which start when there is first
/// something for them. A caller holds a seat while it computes; workers take what seats are left to
/// help the runs of all callers. So at most N threads compute at once, a lone caller has all of
/// them, and N callers compute alone. How work is cut into pieces depends on N and never on who
/// takes the pieces.
class Executor {
 public:
  /// Starts a thread that calls the function. Throws std::system_error where there can be none.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  explicit Executor(int threads, StartThread start_thread = {});
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  Executor(Executor&&) = delete;
  Executor& operator=(Executor&&) = delete;
  /// No caller may be left.
  ~Executor();

  [[nodiscard]] int threads() const { return threads_; }

  /// Waits for a seat; the slot is the calling thread's until it leaves.
  [[nodiscard]] RunSlot& enter();
  void leave(RunSlot& slot);

  /// `body(index)` for every index of [0, count) in pieces of `grain`, over the workers that have a
  /// seat. Rethrows an exception from the body after all pieces are done.
  void run(RunSlot& slot, std::int64_t count, std::int64_t grain, const RunSlot::Body& body);

  /// Starts the workers, or as many as the system allows, when called first. Does not throw.
  void start_workers();

  /// The threads there are, and before the start those that there shall be.
  [[nodiscard]] ThreadStatus status() const;

 private:
  void serve(int worker);
  [[nodiscard]] bool help(int worker);
  void call_workers();

  static constexpr std::size_t kCacheLine = 64;
  const int threads_;
  StartThread start_thread_;
  std::once_flag started_;
  std::vector<std::thread> workers_;
  mutable std::mutex status_guard_;
  ThreadStatus status_;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<RunSlot[]> slots_;
  alignas(kCacheLine) std::atomic<int> callers_ = 0;           ///< who have a seat
  alignas(kCacheLine) std::atomic<std::uint32_t> signal_ = 0;  ///< changes when there is work
  Seats seats_;
};

}  // namespace cloze
