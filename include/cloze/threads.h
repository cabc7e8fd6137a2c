/// \file
/// How many threads Cloze computes with.
#pragma once

#pragma GCC visibility push(default)
namespace cloze {

/// Members, the calling thread included, of the team that serves the calling thread: what
/// `set_num_threads` said on it, or what OpenMP would use (OMP_NUM_THREADS, else all cores that the
/// process may run on).
[[nodiscard]] int num_threads();

/// Sets `num_threads()` for the calling thread; 0 means the default again. Throws ArgumentError for
/// a negative count, and for more than 4,096.
void set_num_threads(int count);

}  // namespace cloze

#pragma GCC visibility pop
