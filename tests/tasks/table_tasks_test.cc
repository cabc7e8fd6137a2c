// Regression, ranking and multiple choice: files to batches, logits to figures and lines.
#include <cmath>
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

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::logits_of;
using testing::TaskTest;

class TableTasksTest : public TaskTest {
 protected:
  static std::unique_ptr<Task> task(std::string_view name, const TaskOptions& options = {}) {
    return make_task(name, tokenizer(), config(), options, false);
  }
  std::string refusal(std::string_view name, std::string_view content,
                      std::string_view as = "bad.tsv") {
    const auto bad = file(as, content);
    return error_of([&] { (void)task(name)->read_train(bad); });
  }
};

TEST_F(TableTasksTest, RegressionLearnsValues) {
  const auto regression = task("regression");
  EXPECT_EQ(regression->loss(), internal::TaskLoss::mean_squared_error);
  const auto data = regression->read_train(file("r.tsv", "the dog\ta\t-1.5\na\tb\t2\nb\tc\t4e0\n"));
  const auto batch = data->batch(std::vector<std::size_t>{2, 0});
  EXPECT_THAT(batch.targets, ElementsAre(4.0F, -1.5F));
  EXPECT_EQ(batch.inputs.input_ids.size(),
            static_cast<std::size_t>(data->tokens(2) + data->tokens(0)));
  EXPECT_EQ(batch.inputs.token_type_ids.back(), 1);
  const std::vector<Tensor> logits{logits_of({-1}), logits_of({2}), logits_of({5})};
  const auto report = data->evaluate(logits);
  EXPECT_NEAR(report.metric("mse"), (0.25 + 0 + 1) / 3, 1e-12);
  EXPECT_NEAR(report.metric("spearman"), 1, 1e-12);
  EXPECT_GT(report.metric("pearson"), 0.9);
  const auto line = nlohmann::json::parse(data->predictions(logits).at(2));
  EXPECT_EQ(line["line"], 3);
  EXPECT_EQ(line["value"], 4);
  EXPECT_EQ(line["predicted"], 5);
  EXPECT_THROW((void)data->evaluate(std::span(logits).first(2)), ArgumentError);
  auto saved = config();
  regression->configure(saved);
  EXPECT_EQ(saved.problem_type, "regression");
  EXPECT_EQ(saved.num_labels(), 1);

  EXPECT_THAT(refusal("regression", "the\t1\na\tinf\n"),
              AllOf(HasSubstr("line 2 of "), HasSubstr("inf")));
  EXPECT_THAT(refusal("regression", "sentence\tlabel\nthe\t1\na\t1,5\n"),
              AllOf(HasSubstr("line 3 of "), HasSubstr("\"1,5\""), HasSubstr("label column")));
  auto trained = config();
  trained.id2label = {"a", "b"};
  EXPECT_THAT(error_of([&] { (void)make_task("regression", tokenizer(), trained, {}, true); }),
              AllOf(HasSubstr("2 labels"), HasSubstr("text-classification")));
}

TEST_F(TableTasksTest, RankingGroupsCandidatesByQueryWhereverTheyStand) {
  const auto ranking = task("ranking");
  const auto data =
      ranking->read_train(file("r.tsv", "q\ta\t1\nr\tb\t0\nq\tb\t0\nr\tc\t1\nq\tc\t0\nr\ta\t0\n"));
  EXPECT_THAT(data->batch(std::vector<std::size_t>{0, 1, 3}).targets,
              ElementsAre(1.0F, 0.0F, 1.0F));
  // q: its candidate comes first; r: second of three.
  const std::vector<Tensor> logits{logits_of({3}), logits_of({2}),  logits_of({-1}),
                                   logits_of({1}), logits_of({-2}), logits_of({-5})};
  const auto report = data->evaluate(logits);
  EXPECT_NEAR(report.metric("mrr"), (1 + 0.5) / 2, 1e-12);
  EXPECT_NEAR(report.metric("recall@1"), 0.5, 1e-12);
  EXPECT_NEAR(report.metric("recall@5"), 1, 1e-12);
  EXPECT_NEAR(report.metric("accuracy"), 5.0 / 6, 1e-12);
  const auto line = nlohmann::json::parse(data->predictions(logits).at(3));
  EXPECT_EQ(line["line"], 4);
  EXPECT_EQ(line["query"], 1);
  EXPECT_EQ(line["label"], 1);
  EXPECT_NEAR(line["score"].get<double>(), 1 / (1 + std::exp(-1.0)), 1e-9);

  EXPECT_THAT(refusal("ranking", "query\tcandidate\tlabel\nq\ta\t1\nq\tb\tno\n"),
              AllOf(HasSubstr("line 3 of "), HasSubstr("\"no\""), HasSubstr("label column")));
  EXPECT_THAT(refusal("ranking", "q\ta\t0\nq\tb\t0\n"),
              AllOf(HasSubstr(path("bad.tsv")), HasSubstr("both kinds")));
  EXPECT_THAT(refusal("ranking", "sentence\tlabel\nq\t1\nr\t0\n"), HasSubstr(path("bad.tsv")));
  // A file to evaluate on may have one kind alone.
  EXPECT_EQ(task("ranking")->read_eval(file("e.tsv", "q\ta\t0\nq\tb\t0\n"))->size(), 2U);
}

TEST_F(TableTasksTest, ChoicesOfARowGoTogether) {
  const auto choice = task("multiple-choice");
  const auto data = choice->read_train(
      file("c.csv", "sent1,sent2,ending0,ending1,label\nthe dog,a,b,c d,1\nthe,b,c,d,0\n"));
  ASSERT_EQ(data->size(), 2U);
  const auto batch = data->batch(std::vector<std::size_t>{1, 0});
  EXPECT_EQ(batch.inputs.sequences(), 4);
  EXPECT_THAT(batch.choices, ElementsAre(2, 2));
  EXPECT_THAT(batch.labels, ElementsAre(0, 1));
  EXPECT_EQ(batch.inputs.total_tokens(), data->tokens(0) + data->tokens(1));
  const auto last = tokenizer()("the dog", "a c d");
  EXPECT_TRUE(
      std::equal(last.input_ids.rbegin(), last.input_ids.rend(), batch.inputs.input_ids.rbegin()));
  const std::vector<Tensor> logits{logits_of({0, 1}), logits_of({0, 1})};
  EXPECT_NEAR(data->evaluate(logits).metric("accuracy"), 0.5, 1e-12);
  const auto line = nlohmann::json::parse(data->predictions(logits).at(1));
  EXPECT_EQ(line["line"], 3);
  EXPECT_EQ(line["label"], 0);
  EXPECT_EQ(line["predicted"], 1);
  EXPECT_NEAR(line["scores"][0].get<double>() + line["scores"][1].get<double>(), 1, 1e-9);

  EXPECT_THAT(refusal("multiple-choice",
                      "{\"prompt\":\"a\",\"choices\":[\"b\",\"c\"],\"label\":0}\n"
                      "{\"prompt\":\"a\",\"choices\":[\"b\",\"c\",\"d\"],\"label\":0}\n",
                      "bad.jsonl"),
              AllOf(HasSubstr("line 2 of " + path("bad.jsonl")), HasSubstr("has 3 choices"),
                    HasSubstr("the first row has 2")));
  EXPECT_THAT(refusal("multiple-choice",
                      "{\"prompt\":\"a\",\"choices\":[\"b\",\" \"],\"label\":0}\n", "bad.jsonl"),
              AllOf(HasSubstr("line 1 of "), HasSubstr("empty choice")));
  EXPECT_THAT(refusal("multiple-choice", "text,label\na,0\n", "bad.csv"),
              AllOf(HasSubstr(path("bad.csv")), HasSubstr("text, label"), HasSubstr("ending0")));
}

}  // namespace
}  // namespace cloze
