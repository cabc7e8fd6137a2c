#include "core/io/crc32c.h"

#include <cstddef>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace cloze {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43U);
  std::vector<std::byte> rising(32);
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
}

TEST(Crc32c, GoesOnFromAnyPlace) {
  const std::string_view text = "the sum of the parts is the sum of the whole";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    EXPECT_EQ(crc32c(bytes_of(text.substr(at)), crc32c(bytes_of(text.substr(0, at)))),
              crc32c(bytes_of(text)));
  }
}

// leveldb's crc32c_test: masking is its own inverse's inverse, and never the identity.
TEST(Crc32c, MaskingRotatesAndAdds) {
  const auto crc = crc32c(bytes_of("foo"));
  EXPECT_NE(masked_crc(crc), crc);
  EXPECT_NE(masked_crc(masked_crc(crc)), crc);
  const std::uint32_t rotated = masked_crc(crc) - 0xA282EAD8U;
  EXPECT_EQ((rotated >> 17U) | (rotated << 15U), crc);
}

}  // namespace
}  // namespace cloze
