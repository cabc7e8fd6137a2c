#include "core/arena.h"

#include <algorithm>
#include <new>

namespace cloze {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void Arena::AlignedDelete::operator()(std::byte* bytes) const {
  ::operator delete[](bytes, std::align_val_t{kAlignment});
}

void Arena::add_block(std::size_t size) {
  Block block;
  block.bytes.reset(new (std::align_val_t{kAlignment}) std::byte[size]);
  block.size = size;
  blocks_.push_back(std::move(block));
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
