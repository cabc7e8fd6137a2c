#include "datasets/labelled_text.h"

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
using testing::TempDirectory;

class LabelledTextTest : public ::testing::Test {
 protected:
  std::vector<LabelledText> read(const std::string& name, const std::string& content,
                                 const LabelledTextOptions& options = {}) {
    LabelledTextReader reader(folder_.write(name, content), options);
    std::vector<LabelledText> rows;
    while (auto row = reader.next()) rows.push_back(*row);
    return rows;
  }

  /// "text|pair|label,label" of each row.
  std::vector<std::string> rows(const std::string& name, const std::string& content,
                                const LabelledTextOptions& options = {}) {
    std::vector<std::string> result;
    for (const auto& row : read(name, content, options)) {
      std::string line = row.text + '|' + row.pair.value_or("-") + '|';
      for (std::size_t i = 0; i < row.labels.size(); ++i)
        line += (i > 0 ? "," : "") + row.labels[i];
      result.push_back(line);
    }
    return result;
  }

  std::string failure(const std::string& name, const std::string& content,
                      const LabelledTextOptions& options = {}) {
    try {
      (void)read(name, content, options);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  TempDirectory folder_;
};

TEST_F(LabelledTextTest, TabsWithoutHeader) {
  EXPECT_THAT(rows("a.tsv", "a \"good\" film\t1\nbad\t0\n"),
              ElementsAre("a \"good\" film|-|1", "bad|-|0"));
  EXPECT_THAT(rows("a.txt", "1\ta good film\r\n0\tbad one\r\n"),
              ElementsAre("a good film|-|1", "bad one|-|0"));
  EXPECT_THAT(rows("p.tsv", "one text\tanother\tyes\nsecond text\tthird\tno\n"),
              ElementsAre("one text|another|yes", "second text|third|no"));
}

TEST_F(LabelledTextTest, AWordOfTheHeaderAsALabelIsNoHeader) {
  EXPECT_THAT(rows("a.tsv", "text\t0\nlabel\t1\n"), ElementsAre("text|-|0", "label|-|1"));
}

TEST_F(LabelledTextTest, HeadersOfGlue) {
  EXPECT_THAT(rows("sst2.tsv", "sentence\tlabel\na b \t1\n"), ElementsAre("a b |-|1"));
  EXPECT_THAT(rows("mrpc.tsv",
                   "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
                   "1\t70\t71\tHe said \"no\".\tNo, he said.\n"),
              ElementsAre("He said \"no\".|No, he said.|1"));
  EXPECT_THAT(rows("qnli.tsv", "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n"),
              ElementsAre("Who?|He.|entailment"));
  EXPECT_THAT(rows("mnli.jsonl", "{\"premise\":\"a\",\"hypothesis\":\"b\",\"label\":2}\n"),
              ElementsAre("a|b|2"));
}

TEST_F(LabelledTextTest, ColumnsByNumberAndName) {
  const std::string sts = "g\tf\t2012\t0001\t5.000\tA man.\tThe man.\n";
  EXPECT_THAT(rows("stsb.tsv", sts, {.text_column = "6", .pair_column = "7", .label_column = "5"}),
              ElementsAre("A man.|The man.|5.000"));
  EXPECT_THAT(
      rows("b.csv", "id,What,Kind\n1,good,x\n", {.text_column = "what", .label_column = "Kind"}),
      ElementsAre("good|-|x"));
  EXPECT_THAT(rows("c.csv", "a;b\nsome text;1\n", {.text_column = "a", .label_column = "b"}),
              ElementsAre("some text|-|1"));
}

TEST_F(LabelledTextTest, QuotedCsv) {
  EXPECT_THAT(rows("q.csv", "text,label\n\"one, \"\"two\"\"\nthree\",1\nplain,0\n\n\n"),
              ElementsAre("one, \"two\"\nthree|-|1", "plain|-|0"));
  const auto lines = read("q.csv", "text,label\n\"one\ntwo\",1\nplain,0\n");
  EXPECT_EQ(lines[0].line, 2);
  EXPECT_EQ(lines[1].line, 4);
}

TEST_F(LabelledTextTest, RowsMayGoOnAfterColumnsChosenByNumber) {
  const std::string text = "x\t1\ta dog\ny\t2\ta cat\tfrom\there\n";
  EXPECT_THAT(rows("n.tsv", text, {.text_column = "3", .label_column = "2"}),
              ElementsAre("a dog|-|1", "a cat|-|2"));
  EXPECT_THAT(failure("n.tsv", text), HasSubstr("line 2 of"));
  EXPECT_THAT(failure("n.tsv", "x\t1\ta dog\ny\t2\n", {.text_column = "3", .label_column = "2"}),
              HasSubstr("has 2 columns, where the first row has 3"));
}

TEST_F(LabelledTextTest, PairsMayLackLabels) {
  const LabelledTextOptions options{.require_pairs = true, .may_lack_labels = true};
  EXPECT_THAT(rows("p.tsv", "a dog\tthe dog\na cat\tthe cat\n", options),
              ElementsAre("a dog|the dog|", "a cat|the cat|"));
  EXPECT_THAT(rows("p.tsv", "sentence1\tsentence2\na\tb\n", options), ElementsAre("a|b|"));
  EXPECT_THAT(rows("p.tsv", "a dog\tthe dog\t0.5\n", options), ElementsAre("a dog|the dog|0.5"));
}

TEST_F(LabelledTextTest, SeveralLabels) {
  LabelledTextOptions options;
  options.multi_label = true;
  EXPECT_THAT(rows("m.tsv", "a text\tred, blue,red\nanother text\t\n", options),
              ElementsAre("a text|-|red,blue", "another text|-|"));
  EXPECT_THAT(
      rows("m.jsonl", "{\"text\":\"t\",\"labels\":[\"x\",3]}\n{\"text\":\"u\",\"labels\":[]}\n",
           options),
      ElementsAre("t|-|x,3", "u|-|"));
  EXPECT_THAT(failure("m.jsonl", "{\"text\":\"t\",\"labels\":[\"x\"]}\n"),
              HasSubstr("line 1 of " + (folder_.path() / "m.jsonl").string() +
                        " has a list of labels: turn on multi-label to read several"));
}

// A 1 or 0 for each label, as Hugging Face's multi-label data have it, is no list of labels.
TEST_F(LabelledTextTest, FlagsAreNotTakenForLabels) {
  LabelledTextOptions options;
  options.multi_label = true;
  for (const auto* labels : {"[1,0,1]", "[0,1]", "[0.0,1.0]", "[true,false,false]"}) {
    const auto text = std::string(R"({"text":"t","labels":)") + labels + "}\n";
    EXPECT_THAT(failure("m.jsonl", text, options),
                ::testing::AllOf(HasSubstr("line 1 of"), HasSubstr("names of those that hold")))
        << labels;
  }
  EXPECT_THAT(rows("m.jsonl",
                   "{\"text\":\"t\",\"labels\":[\"0\",\"1\"]}\n"
                   "{\"text\":\"u\",\"labels\":[1]}\n{\"text\":\"v\",\"labels\":[2,1]}\n",
                   options),
              ElementsAre("t|-|0,1", "u|-|1", "v|-|2,1"));
}

TEST_F(LabelledTextTest, TheNumbersOfTheRowsAreNoTexts) {
  EXPECT_THAT(rows("a.csv", "0,good film,1\n1,bad film,0\n2,dull film,0\n"),
              ElementsAre("good film|-|1", "bad film|-|0", "dull film|-|0"));
  EXPECT_THAT(rows("a.csv", "good film,1,1\nbad film,0,2\ndull film,0,3\n"),
              ElementsAre("good film|-|1", "bad film|-|0", "dull film|-|0"));
  EXPECT_THAT(rows("a.tsv", "1\ta film\n2\ta play\n", {.may_lack_labels = true}),
              ElementsAre("a film|-|", "a play|-|"));
  EXPECT_THAT(failure("a.csv", "0,1\n1,0\n2,0\n"), HasSubstr("no column left for texts"));
  // Numbers, but not of the rows.
  EXPECT_THAT(rows("a.csv", "7,one,x\n3,two,y\n"), ElementsAre("one|x|7", "two|y|3"));
}

TEST_F(LabelledTextTest, Utf16IsRefusedByName) {
  const std::string little("\xFF\xFEt\0e\0x\0t\0\t\0", 12), big("\xFE\xFF\0t\0e", 6);
  for (const auto& text : {little, big}) {
    EXPECT_THAT(failure("a.csv", text),
                ::testing::AllOf(HasSubstr("a.csv is in UTF-16"), HasSubstr("save it as UTF-8")));
  }
}

TEST_F(LabelledTextTest, MistakesNameFileLineAndRemedy) {
  const auto path = (folder_.path() / "a.tsv").string();
  EXPECT_THAT(failure("a.tsv", ""), HasSubstr(path + " is empty"));
  EXPECT_THAT(failure("a.tsv", "\n\n"), HasSubstr(path + " has no rows"));
  EXPECT_THAT(failure("a.tsv", "sentence\tlabel\n"), HasSubstr(path + " has no rows"));
  EXPECT_THAT(failure("a.tsv", "just a text\nmore\n"), HasSubstr("has a single column"));
  EXPECT_THAT(failure("a.tsv", "a\tb\tc\td\n"), HasSubstr("text column"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\nmore\n"),
              HasSubstr("line 2 of " + path + " has 1 columns, where the first row has 2"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\n\nmore text\t0\n"),
              HasSubstr("line 2 of " + path + " is blank"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\n \t0\n"),
              HasSubstr("line 2 of " + path + " has no text"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\nmore\t \n"),
              HasSubstr("line 2 of " + path + " has no label"));
  EXPECT_THAT(
      failure("a.tsv", "x\ty\n1\t2\n", {.text_column = "z", .label_column = "y"}),
      HasSubstr("has no column \"z\": it has the columns x, y; choose one as the text column"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\n", {.label_column = "3"}),
              HasSubstr("has no column 3: it has 2 columns without names"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\n", {.text_column = "2", .label_column = "2"}),
              HasSubstr("one column cannot be two things"));
  EXPECT_THAT(failure("a.tsv", "some text\t1\n", {.require_pairs = true}),
              HasSubstr("pair column"));
  EXPECT_THAT(failure("a.tsv", "text\tfoo\nsome\tx\n"), HasSubstr("name it as the label column"));
}

TEST_F(LabelledTextTest, MistakesOfCsvAndJson) {
  EXPECT_THAT(failure("a.csv", "text,label\n\"open,1\nmore,2\n"),
              ::testing::AllOf(HasSubstr("line 2 of"), HasSubstr("never closed")));
  EXPECT_THAT(failure("a.csv", "text,label\n\"a\"b,1\n"), HasSubstr("after a closing quote"));
  EXPECT_THAT(failure("a.csv", "text,label\na,b,1\n"), HasSubstr("put a text with commas"));
  EXPECT_THAT(failure("a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\n"),
              HasSubstr("line 2 of"));
  EXPECT_THAT(failure("a.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}\n"),
              HasSubstr("has no label"));
  EXPECT_THAT(failure("a.json", "[{\"text\":\"a\"}]\n"), HasSubstr("JSON lines"));
  EXPECT_THROW((void)read("a.jsonl", "{\"text\":\"\xff\",\"label\":1}\n"), FormatError);
}

TEST_F(LabelledTextTest, AMissingFileIsAnIoError) {
  EXPECT_THROW(LabelledTextReader(folder_.path() / "none", {}), IoError);
  EXPECT_THROW(LabelledTextReader(folder_.path(), {}), IoError);
}

TEST(ExamplesInMemory, AreReadAsATableIs) {
  const std::vector<TextExample> examples{{"a calm sea", "", {"good"}}, {"a storm", "", {"poor"}}};
  LabelledTextReader reader(DataSource(examples), {});
  EXPECT_FALSE(reader.has_pairs());
  EXPECT_TRUE(reader.has_labels());
  const auto first = reader.next(), second = reader.next();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->text, "a calm sea");
  EXPECT_FALSE(first->pair);
  EXPECT_EQ(second->labels, (std::vector<std::string>{"poor"}));
  EXPECT_EQ(reader.place(second->line), "example 2");
  EXPECT_FALSE(reader.next());
}

TEST(ExamplesInMemory, OnesThatDoNotFitAreNamed) {
  const auto refused = [](const std::vector<TextExample>& examples,
                          const LabelledTextOptions& options, const std::string& what) {
    try {
      LabelledTextReader reader(DataSource(examples), options);
      while (reader.next()) {
      }
      ADD_FAILURE() << what;
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  refused({}, {}, "no examples");
  refused({{"a", "", {"x"}}, {"", "", {"x"}}}, {}, "example 2 has an empty text");
  refused({{"a", "b", {"x"}}, {"a", "", {"x"}}}, {}, "example 2 has one text");
  refused({{"a", "", {"x"}}, {"a", "b", {"x"}}}, {}, "example 2 has two texts");
  refused({{"a", "", {}}}, {}, "example 1 has 0 labels");
  refused({{"a", "", {"x", "y"}}}, {}, "example 1 has 2 labels");
  refused({{"a", "", {" "}}}, {}, "an empty label");
  refused({{"a", "", {"x"}}}, {.require_pairs = true}, "two are needed");
  refused({{"a", "b", {}}, {"a", "b", {"1"}}}, {.may_lack_labels = true}, "the first has none");
}

}  // namespace
}  // namespace cloze
