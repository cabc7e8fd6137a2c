// What clients may send as JSON, and how answers are written.
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/json/fields.h"
#include "serve/json/reader.h"
#include "serve/json/writer.h"
#include "serve/request_error.h"

namespace cloze::serve {
namespace {

using ::testing::HasSubstr;

/// The status and message that `call` ends with; "" where it does not throw.
template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
    return "";
  } catch (const RequestError& error) {
    return std::to_string(error.status()) + " " + error.what();
  }
}

std::string parse_error(const std::string& text) {
  return error_of([&] { (void)parse_object(text); });
}

TEST(Json, ReadsWhatIsRight) {
  const auto value =
      parse_object(R"( {"a":[1,-2,3.5,null,true,{"b":"\u00e9\ud83d\ude00\u0000"}],"":{}} )");
  EXPECT_EQ(value["a"][0], 1);
  EXPECT_EQ(value["a"][1], -2);
  EXPECT_EQ(value["a"][2], 3.5);
  EXPECT_TRUE(value["a"][3].is_null());
  EXPECT_EQ(value["a"][5]["b"], std::string("\u00e9\U0001F600\0", 7));
  EXPECT_TRUE(value[""].empty());
}

TEST(Json, RefusesWhatIsNot) {
  const std::vector<std::string> bad{"",
                                     " ",
                                     "{",
                                     "}",
                                     "{\"a\"}",
                                     "{\"a\":}",
                                     "{\"a\":1,}",
                                     "[1,]",
                                     "{\"a\":1} x",
                                     "nul",
                                     "{\"a\":NaN}",
                                     "{\"a\":01}",
                                     "{\"a\":+1}",
                                     "{'a':1}",
                                     "{\"a\":\"\n\"}",
                                     "{\"a\":\"\\x\"}",
                                     "{\"a\":\"\\ud800\"}",
                                     "{\"a\":1e999}",
                                     "\xFF",
                                     "{\"a\":\"\xC3\"}",
                                     "{\"a\":\"\xED\xA0\x80\"}",
                                     std::string("{\"a\":1}\0", 8),
                                     std::string("{\"a\":\"\0\"}", 9),
                                     "// x\n{}"};
  for (const auto& text : bad)
    EXPECT_THAT(parse_error(text), ::testing::StartsWith("400 ")) << text;
  EXPECT_THAT(parse_error("{\"a\":1,\"a\":2}"), HasSubstr("twice"));
  EXPECT_THAT(parse_error("[1]"), ::testing::StartsWith("422 "));
  EXPECT_THAT(parse_error("{\"a\":\"\xC3\"}"), HasSubstr("byte 8"));
}

TEST(Json, IsBounded) {
  EXPECT_EQ(parse_error(R"({"a":[[[[[[[1]]]]]]]})"), "");
  EXPECT_THAT(parse_error(R"({"a":[[[[[[[[1]]]]]]]]})"), HasSubstr("deep"));
  EXPECT_THAT(parse_error(std::string(4U << 20U, '[')), HasSubstr("deep"));
  std::string many = "{\"a\":[1";
  for (int i = 0; i < 1'600'000; ++i) many += ",1";
  EXPECT_THAT(parse_error(many + "]}"), HasSubstr("values"));
}

TEST(Fields, NameWhatIsWrong) {
  const auto body = parse_object(
      R"({"text":"a","flag":true,"count":3,"none":null,"list":["a","b"],"mixed":["a",1],"object":{"x":1.5,"big":18446744073709551615}})");
  const Fields fields(body);
  EXPECT_EQ(fields.need_text("text"), "a");
  EXPECT_EQ(fields.boolean("none", true), true);
  EXPECT_EQ(fields.count("count", 1, 5), 3);
  EXPECT_EQ(fields.texts("list", 2)->size(), 2U);
  EXPECT_FALSE(fields.has("none"));
  EXPECT_FALSE(fields.object("absent").has("x"));
  EXPECT_THAT(error_of([&] { (void)fields.need("absent"); }), HasSubstr("`absent` is missing"));
  EXPECT_THAT(error_of([&] { (void)fields.text("count"); }), HasSubstr("`count` is a number"));
  EXPECT_THAT(error_of([&] { (void)fields.count("count", 4, 5); }), HasSubstr("from 4 to 5"));
  EXPECT_THAT(error_of([&] { (void)fields.boolean("text"); }), HasSubstr("true or false"));
  EXPECT_THAT(error_of([&] { (void)fields.texts("mixed", 5); }), HasSubstr("element 1"));
  EXPECT_THAT(error_of([&] { (void)fields.texts("list", 1); }), HasSubstr("2 elements"));
  const auto object = fields.object("object");
  EXPECT_THAT(error_of([&] { (void)object.count("x", 0, 5); }), HasSubstr("`object.x`"));
  EXPECT_THAT(error_of([&] { (void)object.count("big", 0, 5); }),
              HasSubstr("18446744073709551615"));
  EXPECT_THAT(error_of([&] { (void)fields.object("text"); }), ::testing::StartsWith("422 "));
}

TEST(Writer, WritesNumbersThatReadBack) {
  std::string out;
  append_json(out, std::span<const float>(std::vector<float>{0.1F, -0.0F, 1e-30F, 16777216.0F}));
  EXPECT_EQ(out, "[0.1,-0,1e-30,16777216]");
  EXPECT_THAT(error_of([&] { append_json(out, std::numeric_limits<float>::quiet_NaN()); }),
              ::testing::StartsWith("424 "));
}

TEST(Writer, WritesTextsAsJson) {
  std::string out;
  append_json(out, std::string_view("a\"\\\n\x01\xC3\xA9\xFF"));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBD\"");
}

TEST(Writer, WritesBase64) {
  const auto base64 = [](std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
  };
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  std::string out;
  append_base64(out, std::span<const float>(std::vector<float>{1.0F}));
  EXPECT_EQ(out, "\"AACAPw==\"");
}

TEST(RequestErrors, HaveTheShapesOfTheirClients) {
  const auto error = invalid("`a\"` is wrong", "a");
  EXPECT_EQ(body_for(error, ErrorStyle::native),
            R"({"error":"`a\"` is wrong","error_type":"Validation"})");
  const auto theirs = parse_object(body_for(error, ErrorStyle::openai));
  EXPECT_EQ(theirs["error"]["type"], "invalid_request_error");
  EXPECT_EQ(theirs["error"]["param"], "a");
  EXPECT_TRUE(theirs["error"]["code"].is_null());
  EXPECT_EQ(theirs["message"], "`a\"` is wrong");
  EXPECT_EQ(status_for(error, ErrorStyle::native), 422);
  EXPECT_EQ(status_for(error, ErrorStyle::openai), 400);
}

}  // namespace
}  // namespace cloze::serve
