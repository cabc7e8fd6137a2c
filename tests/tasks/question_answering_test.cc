#include "tasks/question_answering.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "tasks/task_test_tools.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TaskTest;

class QuestionAnsweringTest : public TaskTest {
 protected:
  static std::unique_ptr<Task> task(bool version_2 = false, std::int64_t max_length = 0) {
    TaskOptions options;
    options.version_2 = version_2;
    options.max_length = max_length;
    options.stride = 4;
    return make_task("question-answering", tokenizer(), config(), options, false);
  }
  /// SQuAD's JSON of one paragraph.
  std::filesystem::path squad(const std::string& context, const std::string& questions) {
    return file("q.json", R"({"data":[{"paragraphs":[{"context":")" + context + R"(","qas":[)" +
                              questions + "]}]}]}");
  }
  static std::string question(const std::string& id, const std::string& answer, int start) {
    auto text = R"({"id":")" + id + R"(","question":"the?","answers":[)";
    if (start >= 0) {
      text += R"({"text":")" + answer + R"(","answer_start":)" + std::to_string(start) + "}";
    }
    return text + "]}";
  }
  /// Logits that are sure of what the labels of each unit say.
  static std::vector<Tensor> perfect(const TaskData& data) {
    std::vector<Tensor> logits;
    for (std::size_t unit = 0; unit < data.size(); ++unit) {
      const auto batch = data.batch(std::vector{unit});
      auto own = Tensor::zeros(DType::f32, {data.tokens(unit), 2});
      const auto values = own.mutable_values<float>();
      values[2 * static_cast<std::size_t>(batch.start_positions[0])] = 9;
      values[2 * static_cast<std::size_t>(batch.end_positions[0]) + 1] = 9;
      logits.push_back(std::move(own));
    }
    return logits;
  }
};

TEST_F(QuestionAnsweringTest, WindowsCoverTheContextAndOffsetsHoldAtTheSeams) {
  // Two bytes a letter, a combining accent, and words of several tokens.
  const std::string context = "é a dogs e\u0301 b c é d dogs e f g é h i j dogs k.";
  const auto windows = question_windows(tokenizer(), "the dog?", context,
                                        {.max_length = 14, .stride = 3, .max_question = 64});
  ASSERT_GT(windows.size(), 2U);
  const auto whole = tokenizer().encode(context, {.add_special_tokens = false});
  std::vector<int> seen(whole.ids.size());
  for (const auto& window : windows) {
    EXPECT_LE(window.tokens.length(), 14);
    EXPECT_EQ(window.tokens.ids.front(), tokenizer().cls_token_id());
    std::size_t at = 0;
    for (std::size_t i = 0; i < window.offsets.size(); ++i) {
      while (at < whole.ids.size() && (whole.offsets[at].begin != window.offsets[i].begin ||
                                       whole.offsets[at].end != window.offsets[i].end))
        ++at;
      ASSERT_LT(at, whole.ids.size());
      EXPECT_EQ(window.tokens.ids[static_cast<std::size_t>(window.context_begin) + i],
                whole.ids[at]);
      ++seen[at];
    }
  }
  EXPECT_THAT(seen, ::testing::Each(::testing::AllOf(::testing::Ge(1), ::testing::Le(2))));
  EXPECT_EQ(code_points_of(context, {9, 11}), "e\u0301");
}

TEST_F(QuestionAnsweringTest, LongQuestionsAreCut) {
  const auto windows = question_windows(tokenizer(), "a a a a a a a a", "b c",
                                        {.max_length = 20, .max_question = 3});
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].context_begin, 5);  // [CLS] a a a [SEP]
  EXPECT_THAT(error_of([&] {
                (void)question_windows(tokenizer(), "a a a a a a a a", "b c",
                                       {.max_length = 8, .stride = 2, .max_question = 64});
              }),
              ::testing::Not(HasSubstr("nothing was thrown")));
}

TEST_F(QuestionAnsweringTest, LabelsAreTheTokensOfTheAnswerWhereAWindowHoldsIt) {
  const auto answers = task(false, 12);
  const auto asked = squad("a b c d e f dogs g h i", question("1", "dogs", 12));
  const auto data = answers->read_train(asked);
  ASSERT_GT(data->size(), 1U);
  EXPECT_EQ(data->examples(), 1U);
  std::size_t holding = 0;
  for (std::size_t unit = 0; unit < data->size(); ++unit) {
    const auto batch = data->batch(std::vector{unit});
    const auto start = static_cast<std::size_t>(batch.start_positions[0]);
    const auto end = static_cast<std::size_t>(batch.end_positions[0]);
    if (start == 0) {
      EXPECT_EQ(end, 0U);  // [CLS]: not here
      continue;
    }
    ++holding;
    EXPECT_EQ(end, start + 1);  // dog ##s
    EXPECT_EQ(batch.inputs.input_ids[start], tokenizer()("dog").input_ids[1]);
  }
  EXPECT_GE(holding, 1U);
  EXPECT_LT(holding, data->size());
  EXPECT_THROW((void)data->evaluate(perfect(*data)), ArgumentError);  // it is to learn from
  const auto same = answers->read_eval(asked);
  EXPECT_EQ(same->evaluate(perfect(*same)).metric("exact_match"), 100);
}

TEST_F(QuestionAnsweringTest, AnswersAndNoAnswerAreMeasured) {
  const auto data = task(true)->read_eval(
      squad("the dog é a", question("yes", "é", 8) + "," + question("no", "", -1)));
  ASSERT_EQ(data->size(), 2U);
  auto logits = perfect(*data);
  const auto right = data->evaluate(logits);
  EXPECT_EQ(right.metric("exact_match"), 100);
  EXPECT_EQ(right.metric("NoAns_exact"), 100);
  const auto lines = data->predictions(logits);
  ASSERT_EQ(lines.size(), 2U);
  const auto first = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(first["id"], "yes");
  EXPECT_EQ(first["predicted"], "é");
  EXPECT_EQ(first["best"]["start"], 8);
  EXPECT_EQ(first["best"]["end"], 9);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["predicted"], "");

  logits[1] = logits[0];  // an answer where there is none
  const auto wrong = data->evaluate(logits);
  EXPECT_EQ(wrong.metric("NoAns_exact"), 0);
  EXPECT_EQ(wrong.metric("exact_match"), 50);
  EXPECT_THROW((void)data->evaluate(std::span(logits).first(1)), ArgumentError);
}

TEST_F(QuestionAnsweringTest, Mistakes) {
  EXPECT_THAT(error_of([&] { (void)task()->read_train(squad("a b", question("q1", "", -1))); }),
              ::testing::AllOf(HasSubstr(path("q.json")), HasSubstr("q1"), HasSubstr("version 2")));
  EXPECT_THAT(error_of([&] { (void)task()->read_train(squad("a b", question("q1", "z", 0))); }),
              HasSubstr("no answer is in its context"));
  const auto open = squad("a b", R"({"id":7,"question":"the?"})");
  for (const bool train : {true, false}) {
    EXPECT_THAT(
        error_of([&] { (void)(train ? task()->read_train(open) : task()->read_eval(open)); }),
        ::testing::AllOf(HasSubstr(path("q.json")), HasSubstr("question \"7\" has no")));
  }
  const auto data =
      task()->read_train(squad("a b b", question("q1", "z", 0) + "," + question("q2", "b", 3)));
  EXPECT_EQ(data->examples(), 1U);
  EXPECT_THAT(
      data->notes(),
      ElementsAre(HasSubstr("1 answers do not stand where"),
                  HasSubstr("1 answers are not in their context, the first of question q1")));
}

}  // namespace
}  // namespace cloze
