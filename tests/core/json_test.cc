#include "core/json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json_scanner.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

template <class Call>
std::string format_failure(const Call& call) {
  try {
    static_cast<void>(call());
  } catch (const FormatError& error) {
    return error.what();
  }
  return "no FormatError";
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST(Json, IsParsedWithinItsLimits) {
  EXPECT_EQ(parse_json("[1, {\"a\": null}]", "f").size(), 2U);
  EXPECT_EQ(parse_json_object("{\"a\": 1}", "f")["a"], 1);
  EXPECT_NO_THROW(static_cast<void>(parse_json(nested(64), "f")));
  EXPECT_EQ(parse_json("\"[[\\\"[\"", "f"), "[[\"[");  // brackets in a string are no nesting
}

TEST(Json, IsRefusedWithItsPlace) {
  EXPECT_THAT(format_failure([] { return parse_json("{\"a\": }", "the file"); }),
              HasSubstr("the file is not valid JSON: syntax error"));
  EXPECT_THAT(format_failure([] { return parse_json("{\"a\": }", "the file"); }),
              EndsWith("at byte 7"));
  EXPECT_THAT(format_failure([] { return parse_json_object("[]", "the file"); }),
              HasSubstr("the file: expected a JSON object, found an array"));
  EXPECT_THAT(format_failure([] { return parse_json(nested(65), "the file"); }),
              HasSubstr("nested more than 64 levels deep"));
  // A nesting that would exhaust the stack of the parser or of what walks over the value.
  EXPECT_THAT(format_failure([] { return parse_json(nested(10'000'000), "the file"); }),
              HasSubstr("nested more than 64 levels deep"));
  EXPECT_THAT(format_failure([] { return parse_json(std::string("{}\0x", 4), "the file"); }),
              HasSubstr("a zero byte at byte 3"));
  EXPECT_THAT(format_failure([] { return parse_json(std::string("\"a\\\0\"", 5), "the file"); }),
              HasSubstr("a zero byte at byte 4"));
  EXPECT_THAT(format_failure([] { return parse_json("1e999", "the file"); }),
              HasSubstr("the file"));
  EXPECT_THAT(format_failure([] { return parse_json(std::string(1'000'000, 'x'), "f"); }),
              SizeIs(::testing::Lt(300U)));
}

// Python's json, and so transformers, takes the last.
TEST(Json, TakesTheLastOfTwoValuesOfAKey) {
  EXPECT_EQ(parse_json(R"({"a": 1, "b": 2, "a": 3})", "f"),
            nlohmann::json::parse(R"({"a": 3, "b": 2})"));
}

TEST(Json, IsShownShortInMessages) {
  EXPECT_EQ(json_excerpt(nlohmann::json::parse("{\"a\": 1}")), R"({"a":1})");
  EXPECT_THAT(json_excerpt(std::string(1000, 'x')), SizeIs(83));
  EXPECT_EQ(json_excerpt("\xFF"), "\"\\ufffd\"");
}

TEST(Json, IsReadFromAFile) {
  const testing::TempDirectory directory;
  EXPECT_EQ(read_json_object(directory.write("a.json", R"({"a": 1})"))["a"], 1);
  EXPECT_THROW(static_cast<void>(read_json_object(directory / "missing")), IoError);
  EXPECT_THAT(format_failure([&] { return read_json_object(directory.write("b.json", "1")); }),
              HasSubstr("b.json: expected a JSON object, found a number"));
}

TEST(JsonScanner, ReadsWhatIsWanted) {
  JsonScanner scan(R"( {"skipped": [{"x": "]"}, 1e5], "id": 12, "name": "a\u00e9\n"} )", "f");
  std::string name;
  std::int32_t id = 0;
  scan.object([&](std::string_view key) {
    std::string storage;
    if (key == "id") {
      id = scan.id();
    } else if (key == "name") {
      name = scan.string(storage);
    } else {
      EXPECT_EQ(scan.value(), R"([{"x": "]"}, 1e5])");
    }
  });
  scan.end();
  EXPECT_EQ(id, 12);
  EXPECT_EQ(name, "aé\n");
}

TEST(JsonScanner, RefusesControlCharactersInStrings) {
  const auto scan = [](const std::string& text) {
    std::string storage;
    return std::string(JsonScanner(text, "the file").string(storage));
  };
  EXPECT_EQ(scan("\"a\x7F\""), "a\x7F");
  EXPECT_THAT(format_failure([&] { return scan(std::string("\"a\0\"", 4)); }),
              HasSubstr("a control character in a string at byte 2"));
  EXPECT_THAT(format_failure([&] { return scan("\"\\n\n\""); }),
              HasSubstr("a control character in a string at byte 3"));
}

}  // namespace
}  // namespace cloze
