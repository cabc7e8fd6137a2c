/// \file
/// Work divided over the threads that oneDNN uses too (OpenMP's team), so that nothing is ever
/// oversubscribed: one team a calling thread, reused by every operation.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>

namespace cloze {

/// Threads that a parallel region started from this thread will use.
[[nodiscard]] int num_threads();

/// Sets `num_threads()` for regions started from the calling thread; 0 means all cores that this
/// process may run on. Throws ArgumentError for a negative count.
void set_num_threads(int count);

/// Calls `body(index)` for every index of [0, count), divided dynamically over the team in grains
/// of `grain`. An exception from `body` is rethrown here after the others have finished.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= grain || num_threads() == 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::exception_ptr failure;
  std::mutex guard;
#pragma omp parallel for schedule(dynamic, grain) num_threads(num_threads())
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {
      const std::lock_guard lock(guard);
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cloze
