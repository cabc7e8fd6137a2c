/// \file
/// A safetensors file from a header and data that a test states.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloze::testing {

/// Bytes of a safetensors file with this header (its length before it) and data.
inline std::string safetensors(std::string_view header, std::string_view data) {
  std::string file;
  for (std::uint64_t length = header.size(), i = 0; i < 8; ++i, length >>= 8U) {
    file += static_cast<char>(length & 0xFFU);
  }
  file += header;
  file += data;
  return file;
}

}  // namespace cloze::testing
