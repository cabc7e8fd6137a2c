/// \file
/// Classifies bytes sixty-four at a time: where the ASCII words and punctuation are, and where the
/// careful way has to look.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cloze::text {

/// One bit a byte, the first byte lowest. A byte in none of them is a space, tab or line end.
struct AsciiMasks {
  std::uint64_t word;   ///< letters and digits
  std::uint64_t punct;  ///< ASCII punctuation
  std::uint64_t other;  ///< not ASCII, or a control character
};

inline constexpr std::size_t kScanBlock = 64;

/// Classifies `size` bytes into (size + 63) / 64 masks, and writes them to `copy` with A-Z in
/// lower case if `lower`. The bits of the last mask past `size` are zero. `copy` has room for
/// `size` rounded up to 64; its bytes past `size` are unspecified.
void scan_ascii(const char* text, std::size_t size, bool lower, char* copy, AsciiMasks* masks);

}  // namespace cloze::text
