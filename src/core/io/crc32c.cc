#include "core/io/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

namespace cloze {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78U;  // reflected
constexpr std::size_t kSlices = 8;                  // bytes taken at once

using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

/// tables[n][b]: the checksum's change by byte b with n zero bytes after it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8U) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  const auto one = [&] {
    crc = (crc >> 8U) ^ tables[0][(crc ^ static_cast<std::uint32_t>(*at)) & 0xFFU];
    ++at;
    --left;
  };
  if constexpr (std::endian::native == std::endian::little) {
    while (left >= kSlices) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      word ^= crc;
      crc = 0;
      for (std::size_t i = 0; i < kSlices; ++i) {
        crc ^= tables[kSlices - 1 - i][(word >> (8 * i)) & 0xFFU];
      }
      at += kSlices;
      left -= kSlices;
    }
  }
  while (left > 0) one();
  return ~crc;
}

}  // namespace cloze
