#include "core/parallel.h"

#include <algorithm>

#include <omp.h>

#include "cloze/error.h"

namespace cloze {

int num_threads() { return omp_get_max_threads(); }

void set_num_threads(int count) {
  if (count < 0) throw ArgumentError("the number of threads must not be negative");
  omp_set_num_threads(count == 0 ? std::max(1, omp_get_num_procs()) : count);
}

}  // namespace cloze
