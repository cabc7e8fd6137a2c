#include "cloze/text_reader.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextReaderTest : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& text) { return folder_.write("lines", text); }

  testing::TempDirectory folder_;
};

std::vector<std::string> texts(TextReader reader) {
  std::vector<std::string> result;
  while (const auto item = reader.next()) result.push_back(item->text);
  return result;
}

std::string message(const auto& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(TextReaderTest, Lines) {
  EXPECT_THAT(texts(TextReader::file(file("a\nbc\n"), Tabs::space)), ElementsAre("a", "bc"));
  EXPECT_THAT(texts(TextReader::file(file("a\nbc"), Tabs::space)), ElementsAre("a", "bc"));
  EXPECT_THAT(texts(TextReader::file(file("\n\na\n\n"), Tabs::space)),
              ElementsAre("", "", "a", ""));
  EXPECT_THAT(texts(TextReader::file(file("a\r\nb\rc\r\n\r\n"), Tabs::space)),
              ElementsAre("a", "b\rc", ""));
  EXPECT_THAT(texts(TextReader::file(file(""), Tabs::space)), ElementsAre());
  EXPECT_THAT(texts(TextReader::file(file(std::string("a\0b\n\xFF\n", 6)), Tabs::space)),
              ElementsAre(std::string("a\0b", 3), "\xFF"));
}

TEST_F(TextReaderTest, LinesLongerThanTheBuffer) {
  const std::string longest(3'000'001, 'x');
  const auto path = file("first\n" + longest + "\n" + longest + "y\nlast");
  EXPECT_THAT(texts(TextReader::file(path, Tabs::space)),
              ElementsAre("first", longest, longest + "y", "last"));
}

TEST_F(TextReaderTest, ManyLinesInPieces) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + '\n';
  auto reader = TextReader::file(file(text), Tabs::space);
  EXPECT_EQ(reader.total_bytes(), static_cast<std::int64_t>(text.size()));
  std::int64_t next = 0;
  std::size_t pieces = 0;
  for (auto items = reader.next_items(10'000); !items.empty(); items = reader.next_items(10'000)) {
    ++pieces;
    EXPECT_LE(items.size(), 1200U);
    for (const auto& item : items) {
      ASSERT_EQ(item.text, std::to_string(next));
      ASSERT_EQ(item.number, ++next);
    }
  }
  EXPECT_EQ(next, 100'000);
  EXPECT_GT(pieces, 80U);
  EXPECT_EQ(reader.bytes_read(), static_cast<std::int64_t>(text.size()));
}

TEST_F(TextReaderTest, EmptyLinesFillAPieceToo) {
  auto reader = TextReader::file(file(std::string(100'000, '\n')), Tabs::space);
  EXPECT_LT(reader.next_items(900).size(), 101U);
}

TEST_F(TextReaderTest, Pairs) {
  auto reader = TextReader::file(file("a\tb\nc\n\td\ne\t\n"), Tabs::pair);
  auto item = reader.next();
  EXPECT_EQ(item->text, "a");
  EXPECT_EQ(item->pair, "b");
  item = reader.next();
  EXPECT_EQ(item->text, "c");
  EXPECT_EQ(item->pair, std::nullopt);
  item = reader.next();
  EXPECT_EQ(item->text, "");
  EXPECT_EQ(item->pair, "d");
  item = reader.next();
  EXPECT_EQ(item->pair, "");
  EXPECT_EQ(item->number, 4);
  EXPECT_FALSE(reader.next());
}

TEST_F(TextReaderTest, TabsAsSpace) {
  EXPECT_THAT(texts(TextReader::file(file("a\tb\tc\n"), Tabs::space)), ElementsAre("a\tb\tc"));
}

TEST_F(TextReaderTest, MoreTabsThanOneAreAnError) {
  const auto path = file("a\nb\tc\td\n");
  auto reader = TextReader::file(path, Tabs::pair);
  EXPECT_TRUE(reader.next());
  EXPECT_THAT(message([&] { static_cast<void>(reader.next()); }),
              HasSubstr("line 2 of " + path.string()));
}

TEST_F(TextReaderTest, Lists) {
  auto reader = TextReader::list({"x\ty", "z\n"}, Tabs::pair);
  EXPECT_EQ(reader.next()->pair, "y");
  EXPECT_EQ(reader.next()->text, "z\n");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.place(2), "argument 2");
  EXPECT_EQ(TextReader::list({"q"}, Tabs::space, "query").place(1), "query 1");
}

TEST_F(TextReaderTest, WhatCannotBeRead) {
  EXPECT_THAT(message([&] { static_cast<void>(TextReader::file(folder_ / "none", Tabs::space)); }),
              HasSubstr("none: No such file"));
  EXPECT_THAT(message([&] { static_cast<void>(TextReader::file(folder_.path(), Tabs::space)); }),
              HasSubstr("is a directory"));
}

}  // namespace
}  // namespace cloze
