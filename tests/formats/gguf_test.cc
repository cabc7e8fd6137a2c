#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "formats/gguf/dequantize.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf_bytes.h"
#include "places.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufBytes;
using ::testing::HasSubstr;

GgufFile parse(const std::string& bytes) {
  return parse_gguf(std::as_bytes(std::span(bytes)), "F");
}

std::string gguf_failure(const std::string& bytes) {
  try {
    (void)parse(bytes);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// PyPI's gguf made the values (make_gguf_goldens.py): bit for bit.
TEST(Dequantize, EveryTypeIsTheReferences) {
  const auto goldens = Checkpoint::open(std::filesystem::path(kSourceDir) /
                                        "tests/formats/gguf_goldens.safetensors");
  for (const auto type : {GgmlType::q4_0, GgmlType::q4_1, GgmlType::q5_0, GgmlType::q5_1,
                          GgmlType::q8_0, GgmlType::q4_k, GgmlType::q5_k, GgmlType::q6_k}) {
    const auto name = name_of_ggml_type(static_cast<std::uint32_t>(type));
    SCOPED_TRACE(name);
    const auto blocks = goldens.tensor(name + ".blocks"),
               expected = goldens.tensor(name + ".values");
    std::vector<float> values(static_cast<std::size_t>(expected.numel()));
    dequantize(type, blocks.bytes(), values);
    const auto bytes = std::as_bytes(std::span(values));
    EXPECT_TRUE(
        std::equal(bytes.begin(), bytes.end(), expected.bytes().begin(), expected.bytes().end()));
    EXPECT_THROW(dequantize(type, blocks.bytes().first(5), values), ArgumentError);
  }
  std::vector<float> one(1);
  EXPECT_THROW(dequantize(GgmlType::f32, std::as_bytes(std::span(one)), one), ArgumentError);
}

TEST(GgufFile, ValuesAndTensors) {
  const std::vector<std::string> words{"a", "b"};
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const std::string f16(12, '\0');
  const auto bytes =
      GgufBytes()
          .number("n", 7)
          .real("r", 0.5F)
          .flag("f", true)
          .string("s", "text")
          .strings("l", words)
          .pair("i", 9,
                GgufBytes::raw(std::uint32_t{5}) + GgufBytes::raw(std::uint64_t{2}) +
                    GgufBytes::raw(std::int32_t{-1}) + GgufBytes::raw(std::int32_t{4}))
          .tensor("t", Tensor::from<float>({2, 3}, numbers))
          .tensor("h", 1, {6}, f16)
          .bytes();
  for (const std::uint32_t version : {2U, 3U}) {
    auto other = bytes;
    other[4] = static_cast<char>(version);
    const auto file = parse(other);
    EXPECT_EQ(file.at<std::int64_t>("n"), 7);
    EXPECT_EQ(file.at<double>("n"), 7);
    EXPECT_EQ(file.at<double>("r"), 0.5);
    EXPECT_EQ(file.find<bool>("f"), true);
    EXPECT_EQ(file.at<std::string>("s"), "text");
    EXPECT_EQ(file.at<std::vector<std::string>>("l"), words);
    EXPECT_THAT(*file.find<std::vector<double>>("i"), ElementsAre(-1, 4));
    EXPECT_EQ(file.find<bool>("none"), std::nullopt);
    const auto tensor = file.tensor("t", nullptr);
    EXPECT_THAT(tensor.shape(), ElementsAre(2, 3));
    EXPECT_EQ(std::memcmp(tensor.bytes().data(), numbers.data(), 24), 0);
    EXPECT_EQ(file.tensor("h", nullptr).dtype(), DType::f16);
    EXPECT_THROW((void)file.at<bool>("n"), FormatError);
    EXPECT_THROW((void)file.at<std::string>("none"), FormatError);
    EXPECT_THROW((void)file.tensor("none", nullptr), FormatError);
  }
  // Cut anywhere, it is refused; of the last 32 bytes 12 are a tensor's.
  for (std::size_t size = 0; size < bytes.size() - 20; ++size) {
    EXPECT_THROW((void)parse(bytes.substr(0, size)), FormatError) << size;
  }
}

TEST(GgufFile, WhatIsWrongIsNamed) {
  const std::string data(64, '\0');
  EXPECT_THAT(gguf_failure("GGML" + data), HasSubstr("no GGUF file"));
  EXPECT_THAT(gguf_failure(GgufBytes().bytes(1)), HasSubstr("version 1"));
  EXPECT_THAT(gguf_failure(GgufBytes().bytes(0x03000000)), HasSubstr("big-endian"));
  EXPECT_THAT(gguf_failure(GgufBytes().number("a", 1).number("a", 2).bytes()),
              HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(gguf_failure(GgufBytes().pair("a", 77, "").bytes()), HasSubstr("type 77"));
  EXPECT_THAT(gguf_failure(GgufBytes().pair("a", 7, "\2").bytes()),
              HasSubstr("neither true nor false"));
  EXPECT_THAT(
      gguf_failure(
          GgufBytes()
              .pair("a", 9, GgufBytes::raw(std::uint32_t{9}) + GgufBytes::raw(std::uint64_t{1}))
              .bytes()),
      HasSubstr("an array of arrays"));
  EXPECT_THAT(gguf_failure(GgufBytes()
                               .pair("a", 9,
                                     GgufBytes::raw(std::uint32_t{8}) +
                                         GgufBytes::raw(std::numeric_limits<std::uint64_t>::max()))
                               .bytes()),
              HasSubstr("cannot be"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 0, {4}, data).tensor("t", 0, {4}, data).bytes()),
              HasSubstr("tensor \"t\" is there twice"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 16, {256}, data).bytes()),
              AllOf(HasSubstr("tensor \"t\""), HasSubstr("IQ2_XXS"), HasSubstr("Q6_K")));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 8, {3, 33}, data).bytes()),
              HasSubstr("rows of 33, which are no whole blocks of 32"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 0, {1, 1, 1, 1, 1}, data).bytes()),
              HasSubstr("5 dimensions"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 0, {1LL << 40, 1LL << 40}, data).bytes()),
              HasSubstr("a size that cannot be"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 0, {0}, data).bytes()),
              HasSubstr("a size that cannot be"));
  EXPECT_THAT(gguf_failure(GgufBytes().tensor("t", 0, {17}, data).bytes()),
              HasSubstr("tensor \"t\" does not lie in the file"));
  EXPECT_THAT(gguf_failure(GgufBytes().number("general.alignment", 24).bytes()),
              HasSubstr("an alignment of 24"));
}

}  // namespace
}  // namespace cloze
