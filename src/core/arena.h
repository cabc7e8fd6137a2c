/// \file
/// Working memory that is taken piece by piece and given back all at once, so that repeated work of
/// the same size allocates nothing after its first time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace cloze {

class Arena {
 public:
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
  /// Gives a block back to the system, not to the heap, which would keep what a first, piecemeal
  /// computation needed beside the one block that replaces it.
  struct Unmap {
    std::size_t size;
    void operator()(std::byte* bytes) const;
  };
  struct Block {
    std::unique_ptr<std::byte[], Unmap> bytes;
    std::size_t size;
  };
  void add_block(std::size_t size);

  std::vector<Block> blocks_;
  std::size_t used_ = 0;  ///< of the last block
};

}  // namespace cloze
