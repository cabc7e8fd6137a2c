/// \file
/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011). A number is a function of (seed, stream, index), so any part of a random
/// tensor or a training run can be made again without making what came before it.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace cloze {

class Philox {
 public:
  /// Numbers of different `stream`s under one seed are independent.
  constexpr Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// Four uniform 32-bit words, the block number `index` of the stream.
  [[nodiscard]] constexpr std::array<std::uint32_t, 4> block(std::uint64_t index) const {
    std::array<std::uint32_t, 4> x{low(index), high(index), low(stream_), high(stream_)};
    std::uint32_t key0 = low(seed_), key1 = high(seed_);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = 0xD2511F53ULL * x[0], b = 0xCD9E8D57ULL * x[2];
      x = {high(b) ^ x[1] ^ key0, low(b), high(a) ^ x[3] ^ key1, low(a)};
      key0 += 0x9E3779B9U;
      key1 += 0xBB67AE85U;
    }
    return x;
  }

  /// Two independent standard normal values from block `index` (Box-Muller).
  [[nodiscard]] std::array<float, 2> normals(std::uint64_t index) const {
    const auto x = block(index);
    const float u = (static_cast<float>(x[0] >> 8U) + 0.5F) * 0x1p-24F;  // in (0, 1)
    const float v = static_cast<float>(x[1] >> 8U) * 0x1p-24F;
    const float radius = std::sqrt(-2.0F * std::log(u));
    const float angle = 2.0F * std::numbers::pi_v<float> * v;
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) {
    return static_cast<std::uint32_t>(x >> 32U);
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace cloze
