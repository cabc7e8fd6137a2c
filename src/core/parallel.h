/// \file
/// Work divided over the process's threads, which all callers share (core/threads/executor.h).
#pragma once

#include <cstdint>
#include <memory>

#include "cloze/threads.h"  // IWYU pragma: export
#include "core/function_ref.h"

namespace cloze {

class Executor;
class RunSlot;

/// Calls `body(index)` for every index of [0, count), divided dynamically over the threads in
/// grains of `grain`. An exception from `body` is rethrown here after the others have finished.
/// Called inside another `parallel_for`, it runs on the calling thread alone.
///
/// The calling thread is one of the `num_threads()` that compute at once, and waits until it may
/// be. So a body must neither call back into a program nor wait for another thread that computes.
void parallel_for(std::int64_t count, std::int64_t grain, FunctionRef<void(std::int64_t)> body);

/// Whether the caller is inside a `parallel_for`.
[[nodiscard]] bool in_parallel();

/// The caller's place among the threads that run a `parallel_for`, below `num_threads()`: 0 is the
/// thread that called it, and any thread outside of one.
[[nodiscard]] int worker_index();

/// A computation of the calling thread, made of many operations: while it lives, the thread is one
/// of those that compute, and `num_threads()` stays what it is. It waits until the thread may be
/// one. Inside another, or inside a `parallel_for`, it does nothing. What holds for a body of
/// `parallel_for` holds for all of it.
class Computation {
 public:
  Computation();
  Computation(const Computation&) = delete;
  Computation& operator=(const Computation&) = delete;
  Computation(Computation&&) = delete;
  Computation& operator=(Computation&&) = delete;
  ~Computation();

 private:
  friend void parallel_for(std::int64_t, std::int64_t, FunctionRef<void(std::int64_t)>);
  std::shared_ptr<Executor> executor_;
  RunSlot* slot_ = nullptr;
};

/// While it lives, the calling thread computes with threads of its own beside the process's, so
/// that a long call may have another number of them without changing anybody else's.
class OwnThreads {
 public:
  /// Starts them. `count`: 1 to kMostThreads; throws ArgumentError for any other.
  explicit OwnThreads(int count);
  OwnThreads(const OwnThreads&) = delete;
  OwnThreads& operator=(const OwnThreads&) = delete;
  OwnThreads(OwnThreads&&) = delete;
  OwnThreads& operator=(OwnThreads&&) = delete;
  ~OwnThreads();

  [[nodiscard]] ThreadStatus status() const;
  [[nodiscard]] const std::shared_ptr<Executor>& executor() const { return executor_; }

  /// In the child of a fork: new threads in place of those that stayed behind, here and in the
  /// scopes around this one.
  void renew();

 private:
  std::shared_ptr<Executor> executor_;
  OwnThreads* outer_;
};

}  // namespace cloze
