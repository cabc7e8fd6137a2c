/// \file
/// CRC-32C (Castagnoli, RFC 3720): the checksum of TensorBoard's records, of TensorFlow's
/// checkpoints and of Cloze's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cloze {

/// The checksum of `bytes`, or of bytes that follow others whose checksum was `before`.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

/// As stored beside the data that it covers: rotated and shifted, so that a checksum of data which
/// contains checksums is as good as another (TensorFlow's and leveldb's masking).
[[nodiscard]] constexpr std::uint32_t masked_crc(std::uint32_t crc) {
  return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U;
}

}  // namespace cloze
