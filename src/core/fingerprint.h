/// \file
/// A 64-bit fingerprint of data: to notice that something is not what it was. Not cryptographic.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cloze {

class Fingerprint {
 public:
  Fingerprint& add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 29U;
    return *this;
  }
  Fingerprint& add(std::int64_t word) { return add(static_cast<std::uint64_t>(word)); }
  Fingerprint& add(bool value) { return add(std::uint64_t{value ? 1U : 0U}); }
  Fingerprint& add(double value) { return add(std::bit_cast<std::uint64_t>(value)); }
  /// Some gigabytes a second.
  Fingerprint& add(std::string_view bytes) {
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, 8);
      add(word);
    }
    std::uint64_t rest = 0;
    if (at < bytes.size()) std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
    return add(rest).add(static_cast<std::uint64_t>(bytes.size()));
  }

  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0;
};

}  // namespace cloze
