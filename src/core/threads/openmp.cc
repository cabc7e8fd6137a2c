#include "core/threads/openmp.h"

#include <array>
#include <cstddef>
#include <memory>

#include <omp.h>

namespace cloze {

namespace {

/// Gives the calling thread free blocks of every size that libgomp may ask for: what a thread frees last
/// is what the same thread is given next, so no other thread can take them in between. libgomp 12 asks for
/// 216 bytes.
void keep_small_blocks() {
  constexpr std::size_t kStep = 16;  // the C library's sizes of blocks
  constexpr std::size_t kMost = 1024;
  std::array<std::unique_ptr<std::byte[]>, kMost / kStep> blocks;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = std::unique_ptr<std::byte[]>(new std::byte[(i + 1) * kStep - sizeof(void*)]);
  }
}

}  // namespace

void set_openmp_threads(int count) {
  thread_local bool known = false;
  if (!known) {
    keep_small_blocks();
    known = true;
  }
  ::omp_set_num_threads(count);
}

}  // namespace cloze
