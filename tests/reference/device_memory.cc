#include "reference/device_memory.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <new>
#include <system_error>

#include <sys/mman.h>
#include <unistd.h>

namespace cloze::reference {
namespace {

constexpr int kOpen = PROT_READ | PROT_WRITE;

std::size_t whole_pages(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

void protect(const std::byte* begin, std::size_t size, int access) {
  if (::mprotect(const_cast<std::byte*>(begin), whole_pages(size), access) != 0) {
    throw std::system_error(errno, std::generic_category(), "mprotect");
  }
}

}  // namespace

std::shared_ptr<std::byte> Memory::allocate(std::size_t size) {
  size = std::max<std::size_t>(size, 1);
  const std::lock_guard lock(guard_);
  void* const mapped = ::mmap(nullptr, whole_pages(size), opened_ > 0 ? kOpen : PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  blocks_.emplace(begin, size);
  return {begin, [memory = shared_from_this()](std::byte* bytes) { memory->release(bytes); }};
}

void Memory::release(std::byte* begin) {
  const std::lock_guard lock(guard_);
  const auto block = blocks_.find(begin);
  ::munmap(begin, whole_pages(block->second));
  blocks_.erase(block);
}

bool Memory::contains(std::span<const std::byte> bytes) const {
  const std::lock_guard lock(guard_);
  const auto after = blocks_.upper_bound(bytes.data());
  if (after == blocks_.begin()) return false;
  const auto& [begin, size] = *std::prev(after);
  return std::less_equal<>()(bytes.data() + bytes.size(), begin + size);
}

bool Memory::overlaps(std::span<const std::byte> bytes) const {
  const std::lock_guard lock(guard_);
  const auto after = blocks_.lower_bound(bytes.data() + bytes.size());
  if (after == blocks_.begin()) return false;
  const auto& [begin, size] = *std::prev(after);
  return std::less<>()(bytes.data(), begin + size);
}

std::size_t Memory::blocks() const {
  const std::lock_guard lock(guard_);
  return blocks_.size();
}

void Memory::open() {
  const std::lock_guard lock(guard_);
  if (opened_++ > 0) return;
  for (const auto& [begin, size] : blocks_) protect(begin, size, kOpen);
}

void Memory::close() {
  const std::lock_guard lock(guard_);
  if (--opened_ > 0) return;
  for (const auto& [begin, size] : blocks_) protect(begin, size, PROT_NONE);
}

}  // namespace cloze::reference
