#include "core/arena.h"

#include <algorithm>
#include <new>

#include <sys/mman.h>

namespace cloze {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

// The heap would keep what a first, piecemeal computation needed beside the one block that replaces
// it.
std::shared_ptr<std::byte> map_memory(std::size_t size) {
  size = std::max<std::size_t>(size, 1);
  void* const mapped =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(mapped), [size](std::byte* bytes) { ::munmap(bytes, size); }};
}

void Arena::add_block(std::size_t size) {
  blocks_.push_back({.bytes = allocate_(size), .size = size});
  used_ = 0;
}

std::byte* Arena::take_bytes(std::size_t size) {
  size = aligned(std::max<std::size_t>(size, 1));
  if (blocks_.empty() || blocks_.back().size - used_ < size) add_block(size);
  std::byte* taken = blocks_.back().bytes.get() + used_;
  used_ += size;
  return taken;
}

void Arena::reset() {
  if (blocks_.size() > 1) {
    const std::size_t total = capacity();
    blocks_.clear();
    add_block(total);
  }
  used_ = 0;
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const auto& block : blocks_) total += block.size;
  return total;
}

}  // namespace cloze
