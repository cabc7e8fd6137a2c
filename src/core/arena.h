/// \file
/// Working memory that is taken piece by piece and given back all at once, so that repeated work of
/// the same size allocates nothing after its first time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace cloze {

/// `size` bytes of the system's memory, zero and aligned to a page. Given back to the system, not to
/// the heap, with the last owner. Throws std::bad_alloc.
[[nodiscard]] std::shared_ptr<std::byte> map_memory(std::size_t size);

class Arena {
 public:
  /// Where blocks of memory come from.
  using Allocate = std::function<std::shared_ptr<std::byte>(std::size_t)>;

  explicit Arena(Allocate allocate = map_memory) : allocate_(std::move(allocate)) {}

  /// `count` elements, 64-byte aligned, with whatever the memory held before. Valid until `reset`.
  template <class T>
  [[nodiscard]] std::span<T> take(std::int64_t count) {
    auto* bytes = take_bytes(static_cast<std::size_t>(count) * sizeof(T));
    return {reinterpret_cast<T*>(bytes), static_cast<std::size_t>(count)};
  }

  [[nodiscard]] std::byte* take_bytes(std::size_t size);

  /// Gives everything back. If more than one block had to be allocated since the last reset, they
  /// are replaced by one that would have been enough.
  void reset();

  /// Bytes of the system's memory that the arena holds.
  [[nodiscard]] std::size_t capacity() const;

 private:
  struct Block {
    std::shared_ptr<std::byte> bytes;
    std::size_t size;
  };
  void add_block(std::size_t size);

  Allocate allocate_;
  std::vector<Block> blocks_;
  std::size_t used_ = 0;  ///< of the last block
};

}  // namespace cloze
