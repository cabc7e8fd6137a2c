/// \file
/// What a thread is to the computation that it takes part in.
#pragma once

namespace cloze {

class Computation;
class OwnThreads;

struct ThreadRole {
  bool in_parallel = false;            ///< it runs pieces of a `parallel_for`
  int worker = 0;                      ///< `worker_index()`
  int threads = 0;                     ///< `num_threads()` of its computation; 0 outside of one
  Computation* computation = nullptr;  ///< that holds its seat
  OwnThreads* own = nullptr;           ///< the innermost that lives on it
};

/// The calling thread's.
[[nodiscard]] ThreadRole& thread_role();

}  // namespace cloze
