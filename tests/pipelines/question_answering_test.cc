#include "cloze/question_answering.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using testing::golden_directory;
using ::testing::HasSubstr;

QuestionAnsweringPipeline question_answering_pipeline(std::int64_t batch_tokens = 8192) {
  return QuestionAnsweringPipeline::from_pretrained(golden_directory("question_legacy_names"),
                                                    {.batch_tokens = batch_tokens});
}

bool same_answers(const std::vector<std::vector<Answer>>& a,
                  const std::vector<std::vector<Answer>>& b) {
  const auto same = [](const Answer& x, const Answer& y) {
    return x.text == y.text && x.score == y.score && x.offsets == y.offsets &&
           x.byte_offsets == y.byte_offsets;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  });
}

TEST(QuestionAnswering, EqualsTransformers) {
  const auto answer = question_answering_pipeline();
  for (const auto& golden : testing::answers_of_transformers("task_goldens.json")["answer"]) {
    SCOPED_TRACE(golden.dump());
    const std::string question = golden["question"], context = golden["context"];
    const std::vector<QuestionContext> asked{{question, context}};
    const auto answers = answer(asked, {.top_k = 4,
                                        .max_answer_length = 5,
                                        .handle_impossible_answer = golden["version_2"],
                                        .max_length = 20,
                                        .stride = 6})
                             .at(0);
    ASSERT_EQ(answers.size(), golden["answers"].size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& expected = golden["answers"][i];
      EXPECT_EQ(answers[i].text, expected["answer"]);
      EXPECT_EQ(answers[i].offsets.begin, expected["start"]);
      EXPECT_EQ(answers[i].offsets.end, expected["end"]);
      EXPECT_NEAR(answers[i].score, expected["score"].get<double>(), 2e-5);
      const auto& bytes = answers[i].byte_offsets;
      EXPECT_EQ(context.substr(static_cast<std::size_t>(bytes.begin),
                               static_cast<std::size_t>(bytes.end - bytes.begin)),
                answers[i].text);
    }
  }
}

TEST(QuestionAnswering, AnswersAreWordsUnlessPiecesAreAllowed) {
  const auto answer = question_answering_pipeline();
  const std::vector<QuestionContext> asked{{"a?", "dogs"}};
  const auto words = answer(asked, {.top_k = 9}).at(0);
  ASSERT_EQ(words.size(), 1U);
  EXPECT_EQ(words[0].text, "dogs");
  std::vector<std::string> pieces;
  const auto all = answer(asked, {.top_k = 9, .align_to_words = false}).at(0);
  for (const auto& each : all) {
    pieces.push_back(each.text);
  }
  EXPECT_THAT(pieces, ::testing::UnorderedElementsAre("dogs", "dog", "s"));
}

TEST(QuestionAnswering, NoAnswerIsOneOfThem) {
  const auto answer = question_answering_pipeline();
  const std::vector<QuestionContext> asked{{"a?", "dogs"}, {"b?", ""}};
  const auto answers = answer(asked, {.top_k = 9, .handle_impossible_answer = true});
  ASSERT_EQ(answers[0].size(), 2U);
  EXPECT_EQ(std::count_if(answers[0].begin(), answers[0].end(),
                          [](const Answer& each) { return each.text.empty(); }),
            1);
  ASSERT_EQ(answers[1].size(), 1U);
  EXPECT_TRUE(answers[1][0].text.empty());
  EXPECT_TRUE(answer(asked).at(1).empty());
}

TEST(QuestionAnswering, ProgressCancellationAndThreads) {
  const auto answer = question_answering_pipeline(20);
  const std::vector<QuestionContext> asked{
      {"the dog", "a cat, the dogs é 東京 . b c d e"}, {"dog?", "a b c"}, {"a", "b c d e f g h"}};
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) {
        return answer(asked, {.top_k = 3, .max_length = 14, .stride = 2}, progress);
      },
      same_answers);
}

TEST(QuestionAnswering, BadInput) {
  const auto answer = question_answering_pipeline();
  EXPECT_TRUE(answer({}).empty());
  const std::vector<QuestionContext> asked{{"a b c d e f g h", "dogs"}};
  EXPECT_THAT(error_of([&] { static_cast<void>(answer(asked, {.max_length = 10})); }),
              HasSubstr("leaves no room"));
  EXPECT_THROW(static_cast<void>(answer(asked, {.max_length = 99})), ArgumentError);
  EXPECT_THROW(static_cast<void>(answer(asked, {.top_k = 0})), ArgumentError);
  EXPECT_THROW(static_cast<void>(answer(asked, {.max_answer_length = 0})), ArgumentError);
  EXPECT_THAT(
      error_of([] {
        static_cast<void>(QuestionAnsweringPipeline::from_pretrained(golden_directory("choice")));
      }),
      HasSubstr("MultipleChoicePipeline"));
}

}  // namespace
}  // namespace cloze
