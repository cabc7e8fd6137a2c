#include "datasets/conll_reader.h"

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDirectory;

class ConllReaderTest : public ::testing::Test {
 protected:
  TaggedTexts read(const std::string& content, const ConllOptions& options = {}) {
    return read_conll(folder_.write("a.conll", content), options);
  }
  std::string failure(const std::string& content, const ConllOptions& options = {}) {
    try {
      (void)read(content, options);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
  TempDirectory folder_;
};

TEST_F(ConllReaderTest, Iob1WithDocuments) {
  const auto texts = read(
      "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nUN NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n"
      "Peter NNP I-NP I-PER\n\n\n-DOCSTART- -X- O O\n\nHi UH O O\n");
  EXPECT_EQ(texts.scheme, TagScheme::iob1);
  ASSERT_EQ(texts.sentences.size(), 3U);
  EXPECT_THAT(texts.sentences[0].words, ElementsAre("EU", "UN", "rejects"));
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("B-ORG", "B-ORG", "O"));
  EXPECT_THAT(texts.sentences[1].tags, ElementsAre("B-PER"));
  EXPECT_EQ(texts.sentences[0].line, 3);
  EXPECT_EQ(texts.sentences[0].document, texts.sentences[1].document);
  EXPECT_NE(texts.sentences[1].document, texts.sentences[2].document);
}

TEST_F(ConllReaderTest, Iob2AndTabs) {
  const auto texts = read("New York\tB-LOC\ncity\tI-LOC\nis\tO\n");
  EXPECT_EQ(texts.scheme, TagScheme::iob2);
  EXPECT_THAT(texts.sentences[0].words, ElementsAre("New York", "city", "is"));
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("B-LOC", "I-LOC", "O"));
}

TEST_F(ConllReaderTest, BioesBmesAndBilou) {
  EXPECT_THAT(read("a B-X\nb I-X\nc E-X\nd S-Y\ne O\n").sentences[0].tags,
              ElementsAre("B-X", "I-X", "I-X", "B-Y", "O"));
  EXPECT_THAT(read("a B-X\nb M-X\nc E-X\nd S-X\n").sentences[0].tags,
              ElementsAre("B-X", "I-X", "I-X", "B-X"));
  EXPECT_THAT(read("a B-X\nb L-X\nd U-X\n").sentences[0].tags, ElementsAre("B-X", "I-X", "B-X"));
}

// Tags without a type are those of entities of one kind, as seqeval reads them.
TEST_F(ConllReaderTest, TagsWithoutTypes) {
  const auto iob2 = read("a B\nb I\nc O\n\nd B\ne B\n");
  EXPECT_EQ(iob2.scheme, TagScheme::iob2);
  EXPECT_THAT(iob2.sentences[0].tags, ElementsAre("B", "I", "O"));
  const auto iob1 = read("a I\nb I\nc O\n\nd I\ne B\n");
  EXPECT_EQ(iob1.scheme, TagScheme::iob1);
  EXPECT_THAT(iob1.sentences[0].tags, ElementsAre("B", "I", "O"));
  EXPECT_THAT(iob1.sentences[1].tags, ElementsAre("B", "B"));
  const auto bioes = read("a B\nb M\nc E\nd S\ne O\n");
  EXPECT_EQ(bioes.scheme, TagScheme::bioes);
  EXPECT_THAT(bioes.sentences[0].tags, ElementsAre("B", "I", "I", "B", "O"));
  // Letters that are labels of another kind.
  for (const auto* labels : {"a S\nb M\nc L\n", "a I\nb N\nc O\n", "a O\nb S\n"}) {
    EXPECT_EQ(read(labels).scheme, TagScheme::plain) << labels;
  }
  EXPECT_THAT(failure("a B-X\nb I\nc O\n"), HasSubstr("no entity's tag"));
}

TEST_F(ConllReaderTest, ASentenceALine) {
  const auto texts = read("吴 重 阳\tB-NAME M-NAME E-NAME\n他 。\tO O\n\n我\tO\n");
  ASSERT_EQ(texts.sentences.size(), 3U);
  EXPECT_THAT(texts.sentences[0].words, ElementsAre("吴", "重", "阳"));
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("B-NAME", "I-NAME", "I-NAME"));
  EXPECT_EQ(texts.sentences[1].document, 0);
  EXPECT_EQ(texts.sentences[2].document, 1);
  EXPECT_THAT(failure("a b\tO O\nc d\tO\n"),
              AllOf(HasSubstr("line 2 of"), HasSubstr("has 2 words and 1 tags")));
}

TEST_F(ConllReaderTest, JsonLines) {
  const auto texts = read("{\"tokens\":[\"a\",\"b\"],\"ner_tags\":[\"B-X\",\"O\"]}\n");
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("B-X", "O"));
  EXPECT_THAT(failure("{\"tokens\":[\"a\"],\"ner_tags\":[3]}\n"), HasSubstr("labels' names"));
  EXPECT_THAT(failure("{\"tokens\":[\"a\"]}\n"), HasSubstr("has no list \"tags\""));
}

TEST_F(ConllReaderTest, PlainLabelsAndColumns) {
  ConllOptions options;
  options.tag_column = 2;
  const auto texts = read("EU NNP I-ORG\n- : O\n", options);
  EXPECT_EQ(texts.scheme, TagScheme::plain);
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("NNP", ":"));
  options.tag_column = 7;
  EXPECT_THAT(failure("EU NNP I-ORG\n", options),
              HasSubstr("no column 7: correct the label column"));
}

TEST_F(ConllReaderTest, OnlySoMany) {
  EXPECT_EQ(read("a O\n\nb O\n\nc O\n", {.word_column = 0, .tag_column = 0, .max_sentences = 2})
                .sentences.size(),
            2U);
}

TEST_F(ConllReaderTest, Mistakes) {
  EXPECT_THAT(failure(""), HasSubstr("has no sentences"));
  EXPECT_THAT(failure("a O\nb\n"), AllOf(HasSubstr("line 2 of"), HasSubstr("without a tag")));
  EXPECT_THAT(failure("a O\nb X O\n"), AllOf(HasSubstr("line 2 of"), HasSubstr("has 3 columns")));
  EXPECT_THAT(failure("a B-X\nb O\n\nc I-X\n"),
              AllOf(HasSubstr("line 4 of"), HasSubstr("IOB1"), HasSubstr("line 1 of"),
                    HasSubstr("every entity begin with B-")));
  EXPECT_THAT(failure("a B-X\nb NN\n"),
              AllOf(HasSubstr("line 2 of"), HasSubstr("no entity's tag")));
  EXPECT_THAT(failure("a S-X\nb I-X\n"), AllOf(HasSubstr("line 2 of"), HasSubstr("BIOES")));
  EXPECT_THAT(failure("a B-X\nb E-Y\n"), HasSubstr("line 2 of"));
}

TEST_F(ConllReaderTest, ASlipAmongManyTagsIsReadAsWhatItSays) {
  std::string iob1, iob2;
  for (int i = 0; i < 150; ++i) {
    iob1 += "a I-X\nb O\n\n";
    iob2 += "a B-X\nb I-X\n\n";
  }
  EXPECT_THAT(read(iob1 + "a O\nb B-Y\nc I-Y\n").sentences.back().tags,
              ElementsAre("O", "B-Y", "I-Y"));
  EXPECT_THAT(read(iob2 + "a O\nb I-Y\nc I-Y\n").sentences.back().tags,
              ElementsAre("O", "B-Y", "I-Y"));
}

TEST_F(ConllReaderTest, EntitiesThatBreakOffAreCounted) {
  const auto texts = read("a S-X\nb B-X\nc O\n\nd B-X\n");
  EXPECT_EQ(texts.broken_off, 2);
  EXPECT_THAT(texts.first_broken_off, HasSubstr("line 2 of"));
  EXPECT_THAT(texts.sentences[0].tags, ElementsAre("B-X", "B-X", "O"));
}

TEST(ConllReaderData, TheDataSetsAreRead) {
  const char* data = std::getenv("CLOZE_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "CLOZE_TEST_DATA is not set";
  const std::filesystem::path folder(data);
  EXPECT_EQ(read_conll(folder / "conll2003.train", {}).scheme, TagScheme::iob1);
  const auto english = read_conll(folder / "conll2003.dev", {});
  EXPECT_EQ(english.scheme, TagScheme::iob1);
  std::map<std::string, int> begins;
  for (const auto& sentence : english.sentences) {
    for (const auto& tag : sentence.tags) begins[tag] += 1;
  }
  EXPECT_EQ(begins["B-PER"], 1842);  // the published counts of CoNLL-2003's development set
  EXPECT_EQ(begins["B-LOC"], 1837);
  EXPECT_EQ(begins["B-ORG"], 1341);
  EXPECT_EQ(begins["B-MISC"], 922);
  const auto chinese = read_conll(folder / "resumener.train.bmes", {});
  EXPECT_EQ(chinese.scheme, TagScheme::bioes);
  EXPECT_EQ(chinese.sentences.size(), 3821U);
}

}  // namespace
}  // namespace cloze
