#include "core/io/base64.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace cloze {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

}  // namespace

std::string base64_encoded(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t b = 0; b < 3; ++b) {
      group = group << 8U | (b < count ? std::to_integer<std::uint32_t>(bytes[i + b]) : 0U);
    }
    for (std::size_t d = 0; d < 4; ++d) {
      text += d > count ? '=' : kDigits[(group >> (18 - 6 * d)) & 63U];
    }
  }
  return text;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const auto digits = text.substr(0, text.size() - padding);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const auto value = kValues[static_cast<unsigned char>(digits[i])];
    if (value < 0) return std::nullopt;
    group = group << 6U | static_cast<std::uint32_t>(value);
    if (i % 4 == 3) {
      for (const unsigned shift : {16U, 8U, 0U}) bytes.push_back(static_cast<char>(group >> shift));
      group = 0;
    }
  }
  // Bits of the last digits that no byte takes must be zero.
  if (padding == 1) {
    if ((group & 3U) != 0) return std::nullopt;
    bytes.push_back(static_cast<char>(group >> 10U));
    bytes.push_back(static_cast<char>(group >> 2U));
  } else if (padding == 2) {
    if ((group & 15U) != 0) return std::nullopt;
    bytes.push_back(static_cast<char>(group >> 4U));
  }
  return bytes;
}

}  // namespace cloze
