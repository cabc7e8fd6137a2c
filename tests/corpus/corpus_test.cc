#include "corpus/corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string message(const auto& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool is_space(char c) { return std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos; }

std::string without_space(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), is_space), text.end());
  return text;
}

// The documents of a text by the plain rule, without white space.
std::vector<std::string> plain_documents(const std::string& text, DocumentBreak documents) {
  std::vector<std::string> result;
  if (documents == DocumentBreak::file) {
    if (!without_space(text).empty()) result.push_back(without_space(text));
    return result;
  }
  bool open = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = without_space(text.substr(at, end - at));
    if (!line.empty()) {
      if (!open) result.emplace_back();
      result.back() += line;
    }
    open = !line.empty();
    at = end + 1;
  }
  return result;
}

// All documents of a corpus, put together from its blocks.
std::vector<std::string> documents_of(const Corpus& corpus) {
  std::vector<std::string> result(static_cast<std::size_t>(corpus.documents()));
  std::string buffer;
  std::vector<DocumentPart> parts;
  for (std::int64_t block = 0; block < corpus.blocks(); ++block) {
    corpus.read(block, buffer, parts);
    EXPECT_FALSE(parts.empty());
    const auto range = corpus.documents_of(block);
    EXPECT_EQ(parts.front().document, range.first);
    EXPECT_EQ(parts.back().document, range.last);
    for (const auto& part : parts) {
      result.at(static_cast<std::size_t>(part.document)) += without_space(std::string(part.text));
    }
  }
  return result;
}

class CorpusTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Corpus> open(std::vector<std::filesystem::path> paths,
                                     const CorpusOptions& options = {}) {
    return Corpus::open(paths, options);
  }
  testing::TempDirectory folder_;
};

TEST_F(CorpusTest, DocumentsArePartedByBlankLines) {
  const auto corpus =
      open({folder_.write("a", "\n\none\ntwo\n \t\r\n\nthree\n"), folder_.write("b", "four")});
  EXPECT_THAT(documents_of(*corpus), ElementsAre("onetwo", "three", "four"));
  EXPECT_EQ(corpus->files(), 2);
}

TEST_F(CorpusTest, DocumentsAreFiles) {
  const auto corpus = open({folder_.write("a", "one\n\ntwo\n"), folder_.write("b", "three")},
                           {.documents = DocumentBreak::file});
  EXPECT_THAT(documents_of(*corpus), ElementsAre("onetwo", "three"));
}

TEST_F(CorpusTest, DirectoriesStandForTheirFiles) {
  std::filesystem::create_directories(folder_.path() / "d/e");
  std::filesystem::create_directories(folder_.path() / "d/.git");
  folder_.write("d/z", "last");
  folder_.write("d/e/a", "middle");
  folder_.write("d/b", "first");
  folder_.write("d/.hidden", "never");
  folder_.write("d/.git/x", "never");
  EXPECT_THAT(documents_of(*open({folder_.path() / "d"})), ElementsAre("first", "middle", "last"));
}

// Texts of every unpleasant kind, in blocks so small that everything is cut somewhere.
TEST_F(CorpusTest, BlocksHoldAllTextWhateverItLooksLike) {
  std::mt19937 random(std::random_device{}());
  const std::vector<std::string> pieces{"word",
                                        " ",
                                        "\n",
                                        "\n",
                                        "\n\n",
                                        "\r\n",
                                        " \n",
                                        "é",
                                        "漢",
                                        "x",
                                        std::string(100, ' '),
                                        std::string(700, 'y'),
                                        "some words in a line that goes on "};
  for (int round = 0; round < 200; ++round) {
    std::vector<std::filesystem::path> paths;
    std::vector<std::string> blank, file;
    for (auto files = 1 + random() % 3; files > 0; --files) {
      std::string text;
      for (auto size = random() % 300; size > 0; --size) text += pieces[random() % pieces.size()];
      paths.push_back(folder_.write(fmt::format("f{}", files), text));
      const auto add = [&](std::vector<std::string>& to, DocumentBreak kind) {
        const auto found = plain_documents(text, kind);
        to.insert(to.end(), found.begin(), found.end());
      };
      add(blank, DocumentBreak::blank_line);
      add(file, DocumentBreak::file);
    }
    if (blank.empty()) continue;
    for (const std::int64_t block : {64, 100, 1000}) {
      EXPECT_EQ(documents_of(*open(paths, {.block_bytes = block})), blank);
      EXPECT_EQ(
          documents_of(*open(paths, {.documents = DocumentBreak::file, .block_bytes = block})),
          file);
    }
  }
}

TEST_F(CorpusTest, BlocksAreOfBoundedSize) {
  std::string text(1 << 20, 'x');  // without any place to cut at
  for (int i = 0; i < 20000; ++i) text += " word";
  for (int i = 0; i < 20000; ++i) text += "\nshort";
  const auto corpus = open({folder_.write("a", text)}, {.block_bytes = 1024});
  std::string buffer;
  std::vector<DocumentPart> parts;
  for (std::int64_t block = 0; block < corpus->blocks(); ++block) {
    corpus->read(block, buffer, parts);
    EXPECT_LE(buffer.size(), 8U * 1024 + 8);
  }
  EXPECT_LT(corpus->index_bytes(), static_cast<std::int64_t>(text.size() / 1024 * 32 + 1024));
}

TEST_F(CorpusTest, WhatALineIs) {
  const auto lines_of = [&](const std::string& text, DocumentBreak documents) {
    return open({folder_.write("t", text)}, {.documents = documents})->lines();
  };
  std::string sentences, paragraphs, wrapped;
  for (int i = 0; i < 50; ++i) {
    sentences += "This is a sentence.\n";
    paragraphs += "This is a sentence. This is another one. And a third.\n";
    wrapped +=
        "This is a sentence that goes on for so long that it must be\nbroken into two lines, "
        "as editors once did. Then another\none follows.\n\n";
  }
  EXPECT_EQ(lines_of(sentences, DocumentBreak::blank_line), LineKind::sentence);
  EXPECT_EQ(lines_of(paragraphs, DocumentBreak::blank_line), LineKind::paragraph);
  EXPECT_EQ(lines_of(paragraphs, DocumentBreak::file), LineKind::paragraph);
  EXPECT_EQ(lines_of(wrapped, DocumentBreak::file), LineKind::wrapped);
}

TEST_F(CorpusTest, Sentences) {
  const std::string text = "One is. Two\nare here. Three.\n\n  Four\n";
  const auto sentences = [&](LineKind kind) {
    const auto corpus = open({folder_.write("t", text)}, {.lines = kind});
    std::vector<std::string_view> found;
    corpus->sentences(text, found);
    return std::vector<std::string>(found.begin(), found.end());
  };
  EXPECT_THAT(sentences(LineKind::sentence),
              ElementsAre("One is. Two", "are here. Three.", "Four"));
  EXPECT_THAT(sentences(LineKind::paragraph),
              ElementsAre("One is.", "Two", "are here.", "Three.", "Four"));
  EXPECT_THAT(sentences(LineKind::wrapped),
              ElementsAre("One is.", "Two\nare here.", "Three.", "Four"));
}

TEST_F(CorpusTest, FingerprintTellsTextsApart) {
  const auto print = [&](const std::string& text, std::int64_t block = 1024) {
    return open({folder_.write("t", text)}, {.lines = LineKind::sentence, .block_bytes = block})
        ->fingerprint();
  };
  EXPECT_EQ(print("one\n\ntwo"), print("one\n\ntwo"));
  EXPECT_NE(print("one\n\ntwo"), print("one\n\ntwO"));
  EXPECT_NE(print("one\n\ntwo"), print("one\n\ntwo\n"));
  EXPECT_NE(print("one\n\ntwo"), print("one\n\ntwo", 2048));
}

TEST_F(CorpusTest, Errors) {
  const auto empty = folder_.write("empty", "");
  const auto blank = folder_.write("blank", " \n\n\t\r\n");
  const auto good = folder_.write("good", "text");
  EXPECT_THAT(message([&] { open({empty}); }), HasSubstr("it is empty"));
  EXPECT_THAT(message([&] { open({blank}); }), HasSubstr("nothing but white space"));
  EXPECT_THAT(message([&] { open({empty, blank}); }), HasSubstr("any of the 2 files"));
  EXPECT_THAT(message([&] { open({folder_.path() / "absent"}); }),
              HasSubstr("absent: No such file"));
  EXPECT_THAT(message([&] { open({folder_.write("wide", std::string("\xFF\xFEo\0n\0", 6))}); }),
              HasSubstr("UTF-16"));
  std::filesystem::create_directories(folder_.path() / "nothing");
  EXPECT_THAT(message([&] { open({folder_.path() / "nothing"}); }), HasSubstr("no files in"));
  EXPECT_THAT(message([&] { open({}); }), HasSubstr("no text to read"));
  EXPECT_THAT(message([&] { open({"/dev/null"}); }), HasSubstr("not a regular file"));
  EXPECT_THAT(open({good, empty})->warnings(), ElementsAre(HasSubstr("empty has no text")));
  EXPECT_THAT(open({good})->warnings(), IsEmpty());
}

TEST_F(CorpusTest, AFileThatChangesIsNoticed) {
  const auto path = folder_.write("t", "some text here");
  const auto corpus = open({path});
  folder_.write("t", "less");
  std::string buffer;
  std::vector<DocumentPart> parts;
  EXPECT_THAT(message([&] { corpus->read(0, buffer, parts); }), HasSubstr("t has changed"));
  std::filesystem::remove(path);
  EXPECT_THAT(message([&] { corpus->read(0, buffer, parts); }), HasSubstr("No such file"));
}

}  // namespace
}  // namespace cloze
