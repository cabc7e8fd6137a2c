/// \file
/// Work divided over threads. Every calling thread has a team of its own, made when first needed
/// and kept; a team sleeps when it has had nothing to do for some microseconds, and a member that
/// the system does not let run holds nobody up, because the others take its share.
#pragma once

#include <cstdint>

#include "cloze/threads.h"  // IWYU pragma: export
#include "core/function_ref.h"

namespace cloze {

/// Calls `body(index)` for every index of [0, count), divided dynamically over the team in grains
/// of `grain`. An exception from `body` is rethrown here after the others have finished. Called
/// inside another `parallel_for`, it runs on the calling thread alone.
void parallel_for(std::int64_t count, std::int64_t grain, FunctionRef<void(std::int64_t)> body);

/// Whether the caller is inside a `parallel_for`.
[[nodiscard]] bool in_parallel();

/// The caller's place in the team that runs it, below `num_threads()`: 0 is the thread that called
/// `parallel_for`, and any thread outside of one.
[[nodiscard]] int worker_index();

}  // namespace cloze
