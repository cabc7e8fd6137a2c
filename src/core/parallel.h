/// \file
/// Work divided over threads. Every calling thread has a team of its own, made when first needed
/// and kept; a team sleeps when it has had nothing to do for some microseconds, and a member that
/// the system does not let run holds nobody up, because the others take its share.
#pragma once

#include <cstdint>
#include <functional>

namespace cloze {

/// Members, the calling thread included, of the team that serves the calling thread: what
/// `set_num_threads` said on it, or what OpenMP would use (OMP_NUM_THREADS, else all cores that the
/// process may run on).
[[nodiscard]] int num_threads();

/// Sets `num_threads()` for the calling thread; 0 means the default again. Throws ArgumentError for
/// a negative count.
void set_num_threads(int count);

/// Calls `body(index)` for every index of [0, count), divided dynamically over the team in grains
/// of `grain`. An exception from `body` is rethrown here after the others have finished. Called
/// inside another `parallel_for`, it runs on the calling thread alone.
void parallel_for(std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t)>& body);

/// Whether the caller is inside a `parallel_for`.
[[nodiscard]] bool in_parallel();

/// The caller's place in the team that runs it, below `num_threads()`: 0 is the thread that called
/// `parallel_for`, and any thread outside of one.
[[nodiscard]] int worker_index();

}  // namespace cloze
