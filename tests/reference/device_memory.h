/// \file
/// Memory that the host cannot touch: what a second device's own memory is in tests.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <span>

namespace cloze::reference {

/// Blocks of whole pages that nobody may access: who reads or writes one ends with SIGSEGV, but for
/// the time that an Unlocked lives. Safe to use from any number of threads; what one of them has
/// opened is open to all.
class Memory : public std::enable_shared_from_this<Memory> {
 public:
  class Unlocked;

  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() = default;

  /// A block of `size` bytes of zeros, aligned to a page, unmapped with its last owner. Throws
  /// std::bad_alloc.
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t size);

  /// Whether all of the bytes lie in one block.
  [[nodiscard]] bool contains(std::span<const std::byte> bytes) const;
  /// Whether any of the bytes lies in a block.
  [[nodiscard]] bool overlaps(std::span<const std::byte> bytes) const;

  /// Blocks that are alive.
  [[nodiscard]] std::size_t blocks() const;

 private:
  void release(std::byte* begin);
  void open();
  void close();

  mutable std::mutex guard_;
  std::map<const std::byte*, std::size_t, std::less<>> blocks_;  ///< sizes by where they begin
  int opened_ = 0;                                               ///< Unlocked that are alive
};

/// Opens all blocks while it lives, those that are made meanwhile too.
class Memory::Unlocked {
 public:
  explicit Unlocked(Memory& memory) : memory_(memory) { memory_.open(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() { memory_.close(); }

 private:
  Memory& memory_;
};

}  // namespace cloze::reference
