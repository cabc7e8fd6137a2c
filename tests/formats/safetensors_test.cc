// Reading: what the reference writer wrote, and every way in which a file can lie.
#include "formats/safetensors.h"

#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "formats/safetensors_bytes.h"
#include "places.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using testing::read_file;
using testing::safetensors;
using ::testing::StartsWith;
using testing::TempDirectory;

const std::filesystem::path kGoldens =
    std::filesystem::path(kSourceDir) / "tests/goldens/checkpoint";

SafetensorsHeader read(std::string_view file) {
  return read_safetensors_header(std::as_bytes(std::span(file)), "f.safetensors");
}

/// Elements of a view that may not be aligned.
template <class T>
std::vector<T> elements(const Tensor& tensor) {
  EXPECT_EQ(tensor.dtype(), dtype_of<T>);
  std::vector<T> values(tensor.bytes().size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes().data(), tensor.bytes().size());
  return values;
}

// The size of the header comes first, and may be the bytes that a pickle begins with.
TEST(Safetensors, HeadersOfSizesThatLookLikeAPickle) {
  const TempDirectory directory;
  for (const std::size_t size : {640U, 896U, 1152U, 1408U}) {
    std::string header = R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    header.resize(size, ' ');
    const auto file = safetensors(header, std::string(4, '\0'));
    ASSERT_EQ(file[0], '\x80');
    EXPECT_THAT(Checkpoint::open(directory.write("f.safetensors", file)).names(), ElementsAre("t"))
        << size;
  }
}

TEST(Safetensors, ReadsEveryDtypeOfTheReferenceWriter) {
  const auto checkpoint = Checkpoint::open(kGoldens / "dtypes.safetensors");
  EXPECT_THAT(checkpoint.metadata(), ElementsAre(Pair("format", "pt")));
  EXPECT_THAT(checkpoint.names(),
              ElementsAre("bf16.weight", "bool.weight", "empty", "f16.weight", "f32.weight",
                          "f64.weight", "i16.weight", "i32.weight", "i64.weight", "i8.weight",
                          "q\"\\/\n\t\x01\x1f\x7f é中😀", "scalar", "u8.weight"));
  const auto check = [&checkpoint]<class T>(const char* name, std::vector<T> expected) {
    const auto tensor = checkpoint.tensor(name);
    EXPECT_EQ(tensor.shape(), (Shape{2, 3})) << name;
    EXPECT_EQ(elements<T>(tensor), expected) << name;
  };
  check("f32.weight", std::vector<float>{-2, -1, 0, 1, 2, 3});
  check("f64.weight", std::vector<double>{-2, -1, 0, 1, 2, 3});
  check("i8.weight", std::vector<std::int8_t>{-2, -1, 0, 1, 2, 3});
  check("u8.weight", std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5});
  check("i16.weight", std::vector<std::int16_t>{-2, -1, 0, 1, 2, 3});
  check("i32.weight", std::vector<std::int32_t>{-2, -1, 0, 1, 2, 3});
  check("i64.weight", std::vector<std::int64_t>{-2, -1, 0, 1, 2, 3});
  for (const auto* half : {"f16.weight", "bf16.weight"}) {
    EXPECT_EQ(elements<float>(checkpoint.tensor(half).to(DType::f32)),
              (std::vector<float>{-2, -1, 0, 1, 2, 3}))
        << half;
  }
  EXPECT_EQ(checkpoint.info("f16.weight").dtype, DType::f16);
  EXPECT_EQ(checkpoint.info("bf16.weight").dtype, DType::bf16);
  const auto truth = checkpoint.tensor("bool.weight");
  EXPECT_EQ(truth.dtype(), DType::boolean);
  EXPECT_THAT(truth.bytes(), ElementsAre(std::byte{0}, std::byte{1}, std::byte{0}, std::byte{1},
                                         std::byte{0}, std::byte{1}));
  EXPECT_EQ(checkpoint.tensor("scalar").shape(), Shape{});
  EXPECT_EQ(elements<float>(checkpoint.tensor("scalar")), std::vector<float>{-2});
  EXPECT_EQ(checkpoint.tensor("empty").shape(), (Shape{0, 4}));
  const auto empty = checkpoint.tensor("empty");
  EXPECT_TRUE(empty.bytes().empty());
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  EXPECT_TRUE(read(safetensors("{}", "")).tensors.empty());
  EXPECT_TRUE(read(safetensors(R"({"__metadata__":{}}      )", "")).metadata.empty());
  // Entries in any order, and fields of an entry too; empty tensors anywhere.
  const auto header = read(safetensors(R"({"b":{"shape":[2],"data_offsets":[1,5],"dtype":"F16"},)"
                                       R"("e":{"dtype":"F32","shape":[3,0],"data_offsets":[1,1]},)"
                                       R"("a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}})",
                                       "12345"));
  ASSERT_EQ(header.tensors.size(), 3U);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[1].name, "e");
  EXPECT_EQ(header.tensors[2].name, "b");
  EXPECT_EQ(header.tensors[2].end - header.tensors[2].begin, 4U);
}

struct Malformed {
  const char* what;
  std::string file;
  const char* message;
};

void PrintTo(const Malformed& it, std::ostream* out) { *out << it.what; }

class MalformedSafetensors : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedSafetensors, IsRefusedWithASentence) {
  const auto& [what, file, message] = GetParam();
  try {
    (void)read(file);
    FAIL() << what << " was accepted";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), AllOf(StartsWith("f.safetensors: "), HasSubstr(message)));
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  }
  // Through the public door the same, and nothing else.
  const TempDirectory directory;
  EXPECT_THROW((void)Checkpoint::open(directory.write("model.safetensors", file)), FormatError);
  EXPECT_THROW((void)Checkpoint::open(directory.path()), FormatError);
}

std::string entry(std::string_view fields) { return "{\"a\":{" + std::string(fields) + "}}"; }

std::string of(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return R"("dtype":)" + std::string(dtype) + R"(,"shape":)" + std::string(shape) +
         R"(,"data_offsets":)" + std::string(offsets);
}

std::string length_only(unsigned char byte) {
  std::string length(8, static_cast<char>(byte));
  return length;
}

const std::string kFour = "1234";

INSTANTIATE_TEST_SUITE_P(
    Framing, MalformedSafetensors,
    ::testing::Values(
        Malformed{"empty", "", "0 bytes are too few"},
        Malformed{"seven bytes", "1234567", "7 bytes are too few"},
        Malformed{"no header", length_only(0), "does not begin with '{'"},
        Malformed{"a length of all ones", length_only(0xFF), "over the format's limit"},
        Malformed{"a length that wraps around", length_only(0xF8) + "{}",
                  "over the format's limit"},
        Malformed{"a header of 100,000,001 bytes",
                  std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}", "over the format's limit"},
        Malformed{"a header past the end", std::string("\x03\0\0\0\0\0\0\0{}", 10),
                  "states a header of 3 bytes, but only 2 follow"},
        Malformed{"blanks first", safetensors(" {}", ""), "does not begin with '{'"},
        Malformed{"an array", safetensors("[]", ""), "does not begin with '{'"},
        Malformed{"not JSON", safetensors("{hello}", ""), "not valid JSON"},
        Malformed{"cut JSON", safetensors(R"({"a":{"dtype":)", ""), "not valid JSON"},
        Malformed{"something after the object", safetensors("{}x", ""), "not valid JSON"},
        Malformed{"a zero byte after the object", safetensors(std::string("{}\0", 3), ""),
                  "not valid JSON"},
        Malformed{"invalid UTF-8", safetensors("{\"\xff\":{}}", ""), "not valid JSON"},
        Malformed{"data without a tensor", safetensors("{}", kFour),
                  "4 bytes follow the last tensor"},
        Malformed{"a Git LFS pointer",
                  "version https://git-lfs.github.com/spec/v1\noid sha256:4d7\n", "git lfs pull"},
        Malformed{"a web page", "<!DOCTYPE html><html><head>", "web page"},
        Malformed{"a PyTorch file", std::string("PK\x03\x04\0\0\x08\x08\0\0", 10), "PyTorch"}));

INSTANTIATE_TEST_SUITE_P(
    Form, MalformedSafetensors,
    ::testing::Values(
        Malformed{"an entry that is a number", safetensors(R"({"a":1})", ""),
                  R"(tensor "a" must be an object, found a number)"},
        Malformed{"an entry that is null", safetensors(R"({"a":null})", ""), "found null"},
        Malformed{"an entry that is an array", safetensors(R"({"a":[1]})", ""), "found an array"},
        Malformed{"no dtype", safetensors(entry(R"("shape":[1],"data_offsets":[0,4])"), kFour),
                  R"(tensor "a" has no dtype)"},
        Malformed{"no shape", safetensors(entry(R"("dtype":"F32","data_offsets":[0,4])"), kFour),
                  "has no shape"},
        Malformed{"no offsets", safetensors(entry(R"("dtype":"F32","shape":[1])"), kFour),
                  "has no data_offsets"},
        Malformed{"no fields", safetensors(R"({"a":{}})", ""), "has no dtype"},
        Malformed{"an unknown field",
                  safetensors(entry(of("\"F32\"", "[1]", "[0,4]") + R"(,"strides":[1])"), kFour),
                  R"(an unknown field "strides")"},
        Malformed{"a field twice",
                  safetensors(entry(of("\"F32\"", "[1]", "[0,4]") + R"(,"shape":[1])"), kFour),
                  "two fields shape"},
        Malformed{"a name twice",
                  safetensors("{\"a\":{" + of("\"I8\"", "[2]", "[0,2]") + "},\"a\":{" +
                                  of("\"I8\"", "[2]", "[2,4]") + "}}",
                              kFour),
                  R"(the name "a" occurs twice)"},
        Malformed{"metadata twice", safetensors(R"({"__metadata__":{},"__metadata__":{}})", ""),
                  "occurs twice"},
        Malformed{"a metadata key twice", safetensors(R"({"__metadata__":{"k":"1","k":"2"}})", ""),
                  R"(the key "k" occurs twice)"},
        Malformed{"metadata that is a string", safetensors(R"({"__metadata__":"pt"})", ""),
                  "__metadata__ must be an object"},
        Malformed{"metadata of numbers", safetensors(R"({"__metadata__":{"k":1}})", ""),
                  R"("k" of __metadata__ must be a string, found a number)"},
        Malformed{"metadata of objects", safetensors(R"({"__metadata__":{"k":{}}})", ""),
                  "must be a string, found an object"},
        Malformed{"metadata of arrays", safetensors(R"({"__metadata__":{"k":["1"]}})", ""),
                  "must be a string, found an array"},
        Malformed{"metadata of null", safetensors(R"({"__metadata__":{"k":null}})", ""),
                  "must be a string, found null"},
        Malformed{"nesting without end",
                  safetensors("{\"a\":{\"shape\":" + std::string(100000, '['), ""),
                  "found an array"}));

INSTANTIATE_TEST_SUITE_P(
    Dtypes, MalformedSafetensors,
    ::testing::Values(
        Malformed{"an unknown dtype", safetensors(entry(of("\"Q4\"", "[1]", "[0,4]")), kFour),
                  R"(has dtype "Q4", which the format does not have)"},
        Malformed{"lower case", safetensors(entry(of("\"f32\"", "[1]", "[0,4]")), kFour),
                  "which the format does not have"},
        Malformed{"an 8-bit float", safetensors(entry(of("\"F8_E4M3\"", "[4]", "[0,4]")), kFour),
                  "dtype F8_E4M3, for which Cloze has no type; convert it"},
        Malformed{"unsigned", safetensors(entry(of("\"U32\"", "[1]", "[0,4]")), kFour),
                  "for which Cloze has no type"},
        Malformed{"a number as dtype", safetensors(entry(of("32", "[1]", "[0,4]")), kFour),
                  "must be a string, found a number"},
        Malformed{"an array as dtype", safetensors(entry(of("[\"F32\"]", "[1]", "[0,4]")), kFour),
                  "must be a string, found an array"}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, MalformedSafetensors,
    ::testing::Values(
        Malformed{"negative", safetensors(entry(of("\"F32\"", "[-1]", "[0,4]")), kFour),
                  "non-negative integers, found the number -1"},
        Malformed{"a fraction", safetensors(entry(of("\"F32\"", "[1.0]", "[0,4]")), kFour),
                  "found the number 1.0"},
        Malformed{"a string", safetensors(entry(of("\"F32\"", "[\"1\"]", "[0,4]")), kFour),
                  "found a string"},
        Malformed{"no array", safetensors(entry(of("\"F32\"", "1", "[0,4]")), kFour),
                  "found a number"},
        Malformed{"nested", safetensors(entry(of("\"F32\"", "[[1]]", "[0,4]")), kFour),
                  "found an array"},
        Malformed{"a dimension of 2^64 - 1",
                  safetensors(entry(of("\"F32\"", "[18446744073709551615]", "[0,4]")), kFour),
                  "which no memory holds"},
        Malformed{"a dimension past 64 bits",
                  safetensors(entry(of("\"F32\"", "[18446744073709551617]", "[0,4]")), kFour),
                  "non-negative integers"},
        Malformed{"a product that overflows to 4 bytes",
                  safetensors(entry(of("\"I8\"", "[4294967296,4294967297,4]", "[0,4]")), kFour),
                  "larger than any memory"},
        Malformed{"bytes that overflow to 0",
                  safetensors(entry(of("\"F64\"", "[2305843009213693952]", "[0,0]")), ""),
                  "larger than any memory"},
        Malformed{"too small", safetensors(entry(of("\"F32\"", "[2]", "[0,4]")), kFour),
                  "make 8 bytes, but its data_offsets span 4"},
        Malformed{"too large", safetensors(entry(of("\"F32\"", "[0]", "[0,4]")), kFour),
                  "make 0 bytes, but its data_offsets span 4"}));

INSTANTIATE_TEST_SUITE_P(
    Offsets, MalformedSafetensors,
    ::testing::Values(
        Malformed{"one", safetensors(entry(of("\"F32\"", "[1]", "[0]")), kFour),
                  "has 1 data_offsets instead of 2"},
        Malformed{"three", safetensors(entry(of("\"F32\"", "[1]", "[0,4,4]")), kFour),
                  "has 3 data_offsets"},
        Malformed{"none", safetensors(entry(of("\"F32\"", "[1]", "[]")), kFour),
                  "has 0 data_offsets"},
        Malformed{"negative", safetensors(entry(of("\"F32\"", "[1]", "[-4,0]")), kFour),
                  "data_offsets of tensor \"a\" must be an array of non-negative integers"},
        Malformed{"backwards", safetensors(entry(of("\"F32\"", "[1]", "[4,0]")), kFour),
                  "before its begin"},
        Malformed{"past the end", safetensors(entry(of("\"F32\"", "[2]", "[0,8]")), kFour),
                  "ends at byte 8 of the data, but the file has only 4"},
        Malformed{
            "far past the end",
            safetensors(entry(of("\"F32\"", "[1]", "[18446744073709551611,18446744073709551615]")),
                        kFour),
            "the file has only 4"},
        Malformed{"a hole before", safetensors(entry(of("\"I8\"", "[3]", "[1,4]")), kFour),
                  "there is a hole"},
        Malformed{"a rest behind", safetensors(entry(of("\"I8\"", "[3]", "[0,3]")), kFour),
                  "1 bytes follow the last tensor"},
        Malformed{"a hole between",
                  safetensors("{\"a\":{" + of("\"I8\"", "[1]", "[0,1]") + "},\"b\":{" +
                                  of("\"I8\"", "[2]", "[2,4]") + "}}",
                              kFour),
                  R"(tensor "b" begins at byte 2 of the data, but the tensor before ends at 1)"},
        Malformed{"an overlap",
                  safetensors("{\"a\":{" + of("\"I8\"", "[3]", "[0,3]") + "},\"b\":{" +
                                  of("\"I8\"", "[2]", "[2,4]") + "}}",
                              kFour),
                  "they overlap"},
        Malformed{"the same bytes twice",
                  safetensors("{\"a\":{" + of("\"F32\"", "[1]", "[0,4]") + "},\"b\":{" +
                                  of("\"F32\"", "[1]", "[0,4]") + "}}",
                              kFour),
                  "they overlap"}));

TEST(Safetensors, RefusesEveryTruncationOfAGoodFile) {
  const auto file = read_file(kGoldens / "dtypes.safetensors");
  ASSERT_NO_THROW((void)read(file));
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_THROW((void)read(std::string_view(file).substr(0, size)), FormatError) << size;
  }
  EXPECT_THROW((void)read(file + "x"), FormatError);
}

TEST(Safetensors, MessagesQuoteStrangeNamesOnOneShortLine) {
  const std::string name(5000, 'n');
  try {
    (void)read(safetensors("{\"\\n\\u0007" + name + "\":1}", ""));
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\\x0a\\x07nnn"));
    EXPECT_LT(std::strlen(error.what()), 300U);
  }
}

}  // namespace
}  // namespace cloze
