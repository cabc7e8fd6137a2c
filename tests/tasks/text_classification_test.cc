#include "tasks/text_classification.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/temp_directory.h"
#include "tasks/task_test_tools.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::logits_of;
using testing::TaskTest;

class TextClassificationTest : public TaskTest {
 protected:
  std::unique_ptr<Task> task(const TaskOptions& options = {}) {
    return make_task("text-classification", tokenizer(), config(), options, false);
  }
};

TEST_F(TextClassificationTest, LabelsAreDiscoveredAndSorted) {
  const auto words = task();
  (void)words->read_train(file("a.tsv", "the dog\tpos\na cat\tneg\ndogs\tneutral\n"));
  auto saved = config();
  words->configure(saved);
  EXPECT_THAT(saved.id2label, ElementsAre("neg", "neutral", "pos"));
  EXPECT_EQ(saved.problem_type, "single_label_classification");
  EXPECT_THAT(saved.architectures, ElementsAre("BertForSequenceClassification"));

  const auto numbers = task();
  (void)numbers->read_train(file("b.tsv", "the dog\t10\na cat\t9\ndogs\t-1\n"));
  numbers->configure(saved);
  EXPECT_THAT(saved.id2label, ElementsAre("-1", "9", "10"));
}

TEST_F(TextClassificationTest, BatchesHoldTokensAndLabels) {
  const auto tasks = task();
  const auto data = tasks->read_train(file("a.tsv", "the dog\tpos\na\tneg\n"));
  ASSERT_EQ(data->size(), 2U);
  EXPECT_EQ(data->examples(), 2U);
  const auto batch = data->batch(std::vector<std::size_t>{1, 0});
  EXPECT_THAT(batch.labels, ElementsAre(0, 1));
  const auto a = tokenizer()("a");
  EXPECT_EQ(batch.inputs.sequences(), 2);
  EXPECT_EQ(batch.inputs.length(0), data->tokens(1));
  EXPECT_TRUE(std::equal(a.input_ids.begin(), a.input_ids.end(), batch.inputs.input_ids.begin()));
}

TEST_F(TextClassificationTest, PairsHaveTwoSegments) {
  const auto data = task()->read_train(file("a.tsv", "the dog\ta cat\t1\na\tthe dogs\t0\n"));
  const auto batch = data->batch(std::vector<std::size_t>{0});
  const auto pair = tokenizer()("the dog", "a cat");
  EXPECT_EQ(batch.inputs.input_ids, pair.input_ids);
  EXPECT_EQ(batch.inputs.token_type_ids, pair.token_type_ids);
}

TEST_F(TextClassificationTest, MetricsAndPredictions) {
  const auto tasks = task();
  (void)tasks->read_train(file("a.tsv", "the dog\tpos\na\tneg\n"));
  const auto data = tasks->read_eval(file("b.tsv", "a a\tpos\na\tpos\ndog\tneg\n"));
  const std::vector<Tensor> logits{logits_of({0, 2}), logits_of({1, 0}), logits_of({3, 1})};
  const auto report = data->evaluate(logits);
  EXPECT_NEAR(report.metric("accuracy"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(report.metric("f1"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(report.metric("precision"), 1.0, 1e-12);
  EXPECT_NEAR(report.metric("matthews_correlation"), 0.5, 1e-12);
  EXPECT_THROW((void)report.metric("bleu"), ArgumentError);
  EXPECT_THAT(report.details, HasSubstr("true \\ predicted"));
  const auto details = nlohmann::json::parse(report.details_json);
  EXPECT_EQ(details["confusion"], nlohmann::json::parse("[[1,0],[1,1]]"));
  const auto lines = data->predictions(logits);
  ASSERT_EQ(lines.size(), 3U);
  const auto second = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(second["line"], 2);
  EXPECT_EQ(second["label"], "pos");
  EXPECT_EQ(second["predicted"], "neg");
  EXPECT_NEAR(second["score"].get<double>(), 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_THROW((void)data->evaluate(std::span(logits).first(2)), ArgumentError);
}

TEST_F(TextClassificationTest, SeveralLabels) {
  TaskOptions options;
  options.multi_label = true;
  const auto tasks = task(options);
  const auto data = tasks->read_train(file("a.tsv", "the dog\tx,y\na dog\t\ndogs here\tz\n"));
  EXPECT_EQ(tasks->loss(), internal::TaskLoss::binary_cross_entropy);
  const auto batch = data->batch(std::vector<std::size_t>{0, 1, 2});
  EXPECT_THAT(batch.targets, ElementsAre(1, 1, 0, 0, 0, 0, 0, 0, 1));
  const std::vector<Tensor> logits{logits_of({1, -1, -1}), logits_of({-1, -1, -1}),
                                   logits_of({-1, 1, 1})};
  const auto report = data->evaluate(logits);
  EXPECT_NEAR(report.metric("micro_f1"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(report.metric("exact_match_ratio"), 1.0 / 3, 1e-12);
  auto saved = config();
  tasks->configure(saved);
  EXPECT_EQ(saved.problem_type, "multi_label_classification");
}

TEST_F(TextClassificationTest, LongTextsAreCutAndCounted) {
  TaskOptions options;
  options.max_length = 8;
  const auto data =
      task(options)->read_train(file("a.tsv", "a a a a a a a a a\t1\na a a a a a\t0\ndog\t1\n"));
  EXPECT_EQ(data->tokens(0), 8);
  EXPECT_EQ(data->tokens(1), 8);
  EXPECT_THAT(data->notes(), ElementsAre("1 of 3 texts were cut to 8 tokens"));
}

TEST_F(TextClassificationTest, TrainedModelsBringTheirLabels) {
  auto trained = config();
  trained.id2label = {"NEGATIVE", "POSITIVE"};
  const auto tasks = make_task("text-classification", tokenizer(), trained, {}, true);
  const auto data = tasks->read_eval(file("a.tsv", "the dog\t1\na cat\tNEGATIVE\n"));
  EXPECT_THAT(data->batch(std::vector<std::size_t>{0, 1}).labels, ElementsAre(1, 0));
  EXPECT_THAT(error_of([&] { (void)tasks->read_eval(file("b.tsv", "the dog\tPOS\n")); }),
              HasSubstr("line 1 of " + path("b.tsv") +
                        " has the label \"POS\", which the model does not know: it knows "
                        "NEGATIVE, POSITIVE"));
  trained.id2label = {"LABEL_0"};
  EXPECT_THROW((void)make_task("text-classification", tokenizer(), trained, {}, true), ModelError);
}

TEST_F(TextClassificationTest, Mistakes) {
  const auto tasks = task();
  EXPECT_THAT(error_of([&] { (void)tasks->read_eval(file("a.tsv", "the dog\t1\n")); }),
              HasSubstr("training data must be read before"));
  EXPECT_THAT(error_of([&] { (void)tasks->read_train(file("a.tsv", "the dog\t1\na\t1\n")); }),
              HasSubstr("every row has the label \"1\", so there is nothing to learn"));
  (void)tasks->read_train(file("a.tsv", "the dog\tx\na dog\ty\n"));
  EXPECT_THAT(error_of([&] { (void)tasks->read_eval(file("d.tsv", "the dog\tx\na dog\tz\n")); }),
              HasSubstr("line 2 of " + path("d.tsv") + " has the label \"z\""));
  TaskOptions options;
  options.version_2 = true;
  EXPECT_THAT(error_of([&] { (void)task(options); }), HasSubstr("knows no questions"));
  EXPECT_THAT(error_of([&] { (void)make_task("nonsense", tokenizer(), config(), {}, false); }),
              HasSubstr("text-classification"));
  options = {};
  options.max_length = 1000;
  EXPECT_THAT(error_of([&] { (void)task(options)->read_train(file("a.tsv", "the dog\tx\n")); }),
              HasSubstr("1000 tokens"));
}

TEST(LabelScores, AreProbabilitiesAsThePipelineHasThem) {
  BertConfig config;
  EXPECT_EQ(score_kind(config), ScoreKind::softmax);
  config.problem_type = "multi_label_classification";
  EXPECT_EQ(score_kind(config), ScoreKind::sigmoid);
  config.problem_type = "";
  config.id2label = {"LABEL_0"};
  EXPECT_EQ(score_kind(config), ScoreKind::sigmoid);
  config.problem_type = "regression";
  EXPECT_EQ(score_kind(config), ScoreKind::value);

  const std::vector<float> logits{1000, 999, -1000};
  const auto softmax = label_scores(logits, ScoreKind::softmax);
  EXPECT_NEAR(softmax[0], 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_EQ(label_scores(logits, ScoreKind::sigmoid)[2], 0);
  EXPECT_EQ(label_scores(logits, ScoreKind::value)[2], -1000);
  const auto best = best_labels(softmax, 2);
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[1].label, 1U);
}

}  // namespace
}  // namespace cloze
