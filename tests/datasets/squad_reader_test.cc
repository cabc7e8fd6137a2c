#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/squad.h"
#include "core/temp_directory.h"
#include "datasets/choice_reader.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string squad(const std::string& context, const std::string& answers,
                  const std::string& more = "") {
  return R"({"version":"v2.0","data":[{"title":"t","paragraphs":[{"context":")" + context +
         R"(","qas":[{"id":"q1","question":"who?","answers":)" + answers + more + "}]}]}]}";
}

std::string failure(const std::string& json) {
  try {
    (void)parse_squad(json, "F");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(SquadReader, OffsetsAreCodePoints) {
  const auto data = parse_squad(squad("東京 é Bob", R"([{"text":"Bob","answer_start":5}])"), "F");
  ASSERT_EQ(data.questions.size(), 1U);
  EXPECT_EQ(data.questions[0].answers[0].start, 5);
  EXPECT_EQ(data.moved, 0);
}

TEST(SquadReader, AnswersAreLedToTheNearestPlace) {
  const auto data = parse_squad(
      squad("ab ab é ab", R"([{"text":"ab","answer_start":7},{"text":"no","answer_start":0}])"),
      "F");
  EXPECT_EQ(data.questions[0].answers[0].start, 8);
  EXPECT_EQ(data.moved, 1);
  EXPECT_EQ(data.questions[0].answers[1].start, -1);
  EXPECT_EQ(data.missing, 1);
  EXPECT_EQ(data.first_missing, "q1");
  EXPECT_EQ(parse_squad(squad("ab ab", R"([{"text":"ab","answer_start":-9}])"), "F")
                .questions[0]
                .answers[0]
                .start,
            0);
}

TEST(SquadReader, ImpossibleQuestions) {
  const auto data = parse_squad(
      squad("ab", R"([{"text":"ab","answer_start":0}])", R"(,"is_impossible":true)"), "F");
  EXPECT_TRUE(data.questions[0].answers.empty());
}

TEST(SquadReader, NumericIdsAndQuestionsWithoutAnswers) {
  const auto data =
      parse_squad(R"({"data":[{"paragraphs":[{"context":"a b","qas":[{"id":17,"question":"who?"},)"
                  R"({"id":"x","question":"what?","answers":[]}]}]}]})",
                  "F");
  EXPECT_EQ(data.questions.at(0).id, "17");
  EXPECT_FALSE(data.questions[0].labelled);
  EXPECT_TRUE(data.questions.at(1).labelled);
  EXPECT_THAT(failure(R"({"data":[{"paragraphs":[{"context":"a","qas":[{"id":1.5,)"
                      R"("question":"who?"}]}]}]})"),
              HasSubstr("has a \"id\" that is no text"));
}

TEST(SquadReader, MistakesNameThePlace) {
  EXPECT_THAT(failure("{}"), HasSubstr("F: the file has no \"data\""));
  EXPECT_THAT(failure(R"({"data":[]})"), HasSubstr("no questions"));
  EXPECT_THAT(failure(R"({"data":[{"paragraphs":[{"qas":[]}]}]})"),
              HasSubstr("article 1, paragraph 1 has no \"context\""));
  EXPECT_THAT(failure(squad("ab", "3")), HasSubstr("question 1 has a \"answers\" that is no list"));
  EXPECT_THAT(failure(squad(" ", "[]")), HasSubstr("empty context"));
  EXPECT_THAT(failure(squad("a", R"([{"text":"a"}])")), HasSubstr("no \"answer_start\""));
  EXPECT_THAT(failure("not json"), HasSubstr("not valid JSON"));
  EXPECT_THROW((void)read_squad("/nonexistent"), IoError);
}

class ChoiceReader : public ::testing::Test {
 protected:
  std::vector<Choices> read(const std::string& name, const std::string& content) {
    return read_choices(folder_.write(name, content), {});
  }
  std::string failure(const std::string& name, const std::string& content) {
    try {
      (void)read(name, content);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
  testing::TempDirectory folder_;
};

TEST_F(ChoiceReader, SwagAndJson) {
  const auto rows = read("a.csv",
                         ",sent1,sent2,ending0,ending1,label\n"
                         "0,He sat.,He,\"stood, up\",fell,1\n");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].prompt, "He sat.");
  EXPECT_THAT(rows[0].choices, ElementsAre("He stood, up", "He fell"));
  EXPECT_EQ(rows[0].label, 1);
  const auto json =
      read("a.jsonl", "{\"prompt\":\"p\",\"choices\":[\"a\",\"b\",\"c\"],\"label\":2}\n");
  EXPECT_THAT(json[0].choices, ElementsAre("a", "b", "c"));
}

TEST_F(ChoiceReader, Mistakes) {
  EXPECT_THAT(failure("a.jsonl",
                      "{\"prompt\":\"p\",\"choices\":[\"a\",\"b\"],\"label\":0}\n"
                      "{\"prompt\":\"p\",\"choices\":[\"a\",\"b\",\"c\"],\"label\":0}\n"),
              ::testing::AllOf(HasSubstr("line 2 of"),
                               HasSubstr("has 3 choices, where the first row has 2")));
  EXPECT_THAT(failure("a.jsonl", "{\"prompt\":\"p\",\"choices\":[\"a\",\"b\"],\"label\":2}\n"),
              HasSubstr("0 to 1"));
  EXPECT_THAT(failure("a.csv", "sent1,label\nx,0\n"), HasSubstr("ending0"));
  EXPECT_THAT(failure("a.csv", "sent1,ending0,ending1,label\nx,a,,0\n"), HasSubstr("line 2 of"));
}

}  // namespace
}  // namespace cloze
