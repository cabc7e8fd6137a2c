/// \file
/// Random numbers one after another, and permutations that need no memory; both on Philox, so that
/// they are functions of their seeds alone.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "core/philox.h"

namespace cloze {

/// The words of a Philox stream in order.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : philox_(seed, stream) {}

  /// 32 random bits.
  [[nodiscard]] std::uint32_t bits() {
    if (used_ == words_.size()) {
      words_ = philox_.block(block_++);
      used_ = 0;
    }
    return words_[used_++];
  }

  /// Uniform on [0, bound), `bound` > 0, without bias (Lemire, "Fast random integer generation in
  /// an interval", arXiv:1805.10941).
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = static_cast<std::uint64_t>(bits()) * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t least = (0U - bound) % bound;
      while (static_cast<std::uint32_t>(product) < least) {
        product = static_cast<std::uint64_t>(bits()) * bound;
      }
    }
    return static_cast<std::uint32_t>(product >> 32U);
  }

  /// Uniform on [lowest, highest], as Python's randint.
  [[nodiscard]] std::uint32_t between(std::uint32_t lowest, std::uint32_t highest) {
    return lowest + below(highest - lowest + 1);
  }

  /// Uniform on [0, 1).
  [[nodiscard]] double uniform() { return bits() * 0x1p-32; }

  [[nodiscard]] bool chance(double probability) { return uniform() < probability; }

  /// Every order is as probable (Fisher-Yates). At most 2^32 - 1 values.
  template <class T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(static_cast<std::uint32_t>(i))]);
    }
  }

 private:
  Philox philox_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  std::size_t used_ = 4;
};

/// A pseudo-random permutation of [0, size), place by place: a Feistel network whose round function
/// is Philox, walked until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite
/// domains", CT-RSA 2002). Any place costs about a microsecond, and no order is ever stored.
class Permutation {
 public:
  /// `size` is less than 2^62.
  Permutation(std::uint64_t size, std::uint64_t seed, std::uint64_t stream)
      : size_(size),
        half_((static_cast<unsigned>(std::bit_width(size > 1 ? size - 1 : 1)) + 1) / 2),
        philox_(seed, stream) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// What stands at place `index` < size.
  [[nodiscard]] std::uint64_t operator()(std::uint64_t index) const {
    if (size_ < 2) return index;
    do index = encipher(index);
    while (index >= size_);
    return index;
  }

 private:
  static constexpr std::uint64_t kRounds = 8;

  [[nodiscard]] std::uint64_t encipher(std::uint64_t value) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_) - 1;
    std::uint64_t left = value >> half_, right = value & mask;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const auto mixed = philox_.block(round << 32U | right)[0];
      left = std::exchange(right, (left ^ mixed) & mask);
    }
    return left << half_ | right;
  }

  std::uint64_t size_;
  unsigned half_;  // bits of each half
  Philox philox_;
};

}  // namespace cloze
