#include "core/utf8.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "places.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;

std::string read_data(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path data() {
  const char* const place = std::getenv("CLOZE_TEST_DATA");
  return place != nullptr ? fs::path(place) : fs::path(kSourceDir) / "../shared/data";
}

TEST(Utf8, EveryCodePointThereAndBack) {
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (cp >= 0xD800 && cp < 0xE000) continue;
    char bytes[4];
    const int size = utf8::encode(cp, bytes);
    const char* p = bytes;
    ASSERT_EQ(utf8::decode(p), cp);
    ASSERT_EQ(p, bytes + size);
    ASSERT_EQ(utf8::decode_before(p), cp);
    ASSERT_EQ(p, bytes);
    const std::string_view text(bytes, static_cast<std::size_t>(size));
    ASSERT_EQ(utf8::valid_prefix(text), text.size());
    ASSERT_EQ(utf8::count_code_points(text), 1);
    ASSERT_NE(utf8::valid_prefix(text.substr(0, text.size() - 1)), text.size());
  }
}

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(utf8::valid_prefix(""), 0U);
  EXPECT_EQ(utf8::valid_prefix("0123456789abcdef\x80"), 16U);
  EXPECT_EQ(utf8::valid_prefix("01234\xED\xA0\x80"), 5U);
  EXPECT_EQ(utf8::valid_prefix("\xC0\x80"), 0U);
}

TEST(Utf8, RepairsLeadBack) {
  const std::string original =
      "a\xE4\xBD"
      "b\x80"
      "c";
  const utf8::ValidText valid(original);
  ASSERT_EQ(valid.text(),
            "a\uFFFDb\uFFFD"
            "c");
  EXPECT_TRUE(valid.repaired());
  const int expected[] = {0, 1, 0, 0, 3, 4, 0, 0, 5, 6};
  for (const int at : {0, 1, 4, 5, 8, 9}) EXPECT_EQ(valid.original_byte(at), expected[at]) << at;
  EXPECT_FALSE(utf8::ValidText("fine é").repaired());
}

// The texts of a well-known collection of ill-formed sequences, as Python decodes them.
TEST(Utf8, RepairsAsPythonDoes) {
  if (!fs::exists(data() / "utf8tests.bin")) GTEST_SKIP() << "no shared data (CLOZE_TEST_DATA)";
  EXPECT_EQ(utf8::ValidText(read_data(data() / "utf8tests.bin")).text(),
            read_data(data() / "utf8tests.replace.txt"));
}

}  // namespace
}  // namespace cloze::text
