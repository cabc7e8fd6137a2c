/// \file
/// How many threads Cloze computes with.
///
/// All callers of a process share one set of threads: at most `num_threads()` compute at once. A
/// lone caller has all of them; when there are as many callers, each computes on its own thread;
/// when there are more, they wait for their turn in the order in which they came. The number
/// decides how work is divided, and how many callers there are does not, so that a call gives the
/// same bits whatever else goes on in the process.
///
/// A process may fork after it has used Cloze, also while other threads compute. The child starts
/// threads of its own when it first needs them. It cannot go on with a call that was under way at
/// the fork, such as a training run.
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace cloze {

/// The most threads that Cloze takes.
constexpr int kMostThreads = 4096;

/// How many threads the process computes with, the calling ones included: what `set_num_threads`
/// said, else CLOZE_NUM_THREADS, else OMP_NUM_THREADS, else the processors that the process may run
/// on and its control groups (cgroups) leave it. Throws ArgumentError where CLOZE_NUM_THREADS is
/// not a number of threads.
[[nodiscard]] int num_threads();

/// Sets `num_threads()` for the whole process; 0 means the default again. Calls that are under way
/// end with the threads that they began with. Throws ArgumentError unless `count` is 0 to
/// kMostThreads.
void set_num_threads(int count);

/// Whether there are as many threads as wanted.
struct ThreadStatus {
  int wanted = 0;       ///< `num_threads()`
  int running = 0;      ///< those that compute, callers included: fewer where the system refused
  std::string problem;  ///< why there are fewer; empty where there is nothing to say
};

/// The state of the process's threads. They start when there is first work for several of them, and
/// count as running before. Where the system refuses some (a limit on processes), Cloze computes
/// with those that it got, to the same results; `set_num_threads` lets it try again.
[[nodiscard]] ThreadStatus thread_status();

}  // namespace cloze

#pragma GCC visibility pop
