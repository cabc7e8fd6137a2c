/// \file
/// How many OpenMP threads the calling thread's parallel regions get: those of oneDNN, which is the only
/// user of OpenMP here.
#pragma once

namespace cloze {

/// As `omp_set_num_threads`, which keeps the number for the calling thread. libgomp takes memory for that
/// at a thread's first call, and ends the process where there is none. This one throws std::bad_alloc.
void set_openmp_threads(int count);

}  // namespace cloze
