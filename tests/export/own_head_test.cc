// A head that the table does not have, given as a row of one's own: it is trained, saved, loaded,
// converted, exported, described and explained without a change elsewhere.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bert/head_model.h"
#include "bert/head_table.h"
#include "bert/training/input_gradients.h"
#include "bert/training/task_model.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "export/heads.h"
#include "goldens/golden.h"
#include "inspect/heads.h"
#include "ops/machine.h"
#include "reference/onnx.h"
#include "tasks/task_predictor.h"

namespace cloze::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::golden_directory;
using ::testing::IsEmpty;
using testing::max_abs_difference;
using testing::OnnxArray;
using testing::OnnxModel;
using testing::TempDirectory;

/// How long a person looks at each word, and how often: two values a token.
constexpr HeadKind kReading{
    .class_name = "ForReadingTimes",
    .about = "reading times",
    .pipeline = "reading-times",
    .task = "reading-times",
    .unit = HeadUnit::token,
    .losses = {TaskLoss::mean_squared_error},
    .slots = {{{"reading", HeadInput::tokens, 2, true, {"duration", "fixations"}}}}};

constexpr auto kRows = [] {
  std::array<HeadKind, kHeads.size() + 1> rows{};
  std::copy(kHeads.begin(), kHeads.end(), rows.begin());
  rows.back() = kReading;
  return rows;
}();

class OwnHead : public ::testing::Test {
 protected:
  OwnHead() {
    config_.architectures = {architecture_of(kReading)};
    batch_.inputs.append(std::vector<std::int32_t>{2, 9, 11, 30, 3});
    batch_.inputs.append(std::vector<std::int32_t>{2, 7, 3});
    for (const auto id : batch_.inputs.input_ids) {
      batch_.targets.push_back(static_cast<float>(id) / 10);
      batch_.targets.push_back(id > 10 ? 2.0F : 0.0F);
    }
    CheckpointWeights weights(Checkpoint::open(golden_directory("bare_odd")));
    TaskModel model(config_, weights, {.head = &kReading, .loss = TaskLoss::mean_squared_error}, 1);
    new_head_ = model.has_new_head();
    before_ = model.evaluate(batch_).loss();
    for (int step = 0; step < 60; ++step) {
      model.parameters().zero_gradients();
      model.forward_backward(batch_, {.scale = 1 / model.weight(batch_), .dropout = false});
      for (auto& parameter : model.parameters().all()) {
        for (std::size_t i = 0; i < parameter.value.size(); ++i) {
          parameter.value[i] -= 0.02F * parameter.gradient[i];
        }
      }
      model.parameters_changed();
    }
    after_ = model.evaluate(batch_).loss();
    trained_ = model.predict(batch_);
    config_.save_pretrained(saved_.path());
    save_checkpoint(saved_.path(), model.parameters().tensors());
  }

  BertConfig config_ = BertConfig::from_pretrained(golden_directory("bare_odd"));
  TaskBatch batch_;
  bool new_head_ = false;
  double before_ = 0, after_ = 0;
  Tensor trained_;  ///< the trained model's logits
  TempDirectory saved_;
};

TEST_F(OwnHead, LearnsAndIsLoaded) {
  EXPECT_TRUE(new_head_);
  EXPECT_LT(after_, 0.2 * before_);
  EXPECT_EQ(trained_.shape(), (Shape{8, 2}));
  const auto model = HeadModel::from_pretrained(saved_.path(), kReading, {});
  EXPECT_LE(max_abs_difference(model->logits(batch_.inputs), trained_), 1e-5);
  EXPECT_EQ(model->num_parameters(),
            model->encoder().num_parameters() + 2 * (config_.hidden_size + 1));

  CheckpointWeights weights(Checkpoint::open(saved_.path()));
  const TaskModel again(config_, weights, {.head = &kReading, .loss = TaskLoss::mean_squared_error},
                        1);
  EXPECT_FALSE(again.has_new_head());
  EXPECT_THROW(TaskModel(config_, weights, {.head = &kReading}, 1), ArgumentError);
}

TEST_F(OwnHead, AnswersInBatches) {
  EXPECT_EQ(&task_head_of(config_, saved_.path(), kRows), &kRows.back());
  const TaskPredictor predictor(saved_.path(), kReading, {}, 6);
  const std::vector<TokenizedText> texts{{{2, 7, 3}, {0, 0, 0}},
                                         {{2, 9, 11, 30, 3}, {0, 0, 0, 0, 0}}};
  const auto found = predictor.predict(texts);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_LE(max_abs_difference(found[0], trained_.rows(5, 8)), 1e-5);
  EXPECT_LE(max_abs_difference(found[1], trained_.rows(0, 5)), 1e-5);
}

TEST_F(OwnHead, IsConvertedWhole) {
  const TempDirectory converted;
  const auto report = convert_model(saved_.path(), converted.path(), {}, kRows);
  EXPECT_EQ(report.architecture, "BertForReadingTimes");
  EXPECT_THAT(report.left_out, IsEmpty());
  EXPECT_EQ(Checkpoint::open(converted.path()).names(), Checkpoint::open(saved_.path()).names());
  EXPECT_THAT(BertConfig::from_pretrained(converted.path()).architectures,
              ElementsAre("BertForReadingTimes"));

  // Who does not know the row takes the encoder, and says what is lost.
  const TempDirectory bare;
  const auto without = cloze::convert_model(saved_.path(), bare.path());
  EXPECT_EQ(without.architecture, "BertModel");
  EXPECT_THAT(without.left_out, ElementsAre("reading.bias", "reading.weight"));

  // The model saves what it was loaded from.
  const TempDirectory again;
  HeadModel::from_pretrained(
      converted.path(), kReading,
      {.precision = testing::computes(Precision::bf16) ? Precision::bf16 : Precision::f32})
      ->save_pretrained(again.path());
  EXPECT_LE(
      max_abs_difference(
          HeadModel::from_pretrained(again.path(), kReading, {})->logits(batch_.inputs), trained_),
      1e-5);
}

TEST_F(OwnHead, IsExported) {
  const TempDirectory folder;
  const auto path = folder.path() / "model.onnx";
  const auto report = export_onnx(saved_.path(), path, {}, kRows);
  EXPECT_EQ(report.task, "reading-times");
  EXPECT_THAT(report.outputs, ElementsAre("duration", "fixations"));
  const OnnxModel onnx(path);
  const Shape shape{1, 5};  // the first sequence
  const auto ids =
      std::vector<double>(batch_.inputs.input_ids.begin(), batch_.inputs.input_ids.begin() + 5);
  const auto outputs = onnx.run({{"input_ids", OnnxArray{shape, ids}},
                                 {"attention_mask", OnnxArray{shape, {1, 1, 1, 1, 1}}},
                                 {"token_type_ids", OnnxArray{shape, {0, 0, 0, 0, 0}}}});
  const auto wanted = trained_.values<float>();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(outputs.at("duration").values.at(i), wanted[2 * i], 1e-4);
    EXPECT_NEAR(outputs.at("fixations").values.at(i), wanted[2 * i + 1], 1e-4);
  }
}

TEST_F(OwnHead, IsDescribedAndExplained) {
  const auto heads = model_info(saved_.path(), kRows).heads;
  ASSERT_EQ(heads.size(), 1U);
  EXPECT_EQ(heads[0].name, "reading times");
  EXPECT_EQ(heads[0].architecture, "BertForReadingTimes");
  EXPECT_EQ(heads[0].pipeline, "reading-times");
  EXPECT_THAT(cloze::model_info(saved_.path()).heads, IsEmpty());

  CheckpointWeights weights(Checkpoint::open(saved_.path()));
  InputGradients gradients(config_, weights, kReading);
  const auto result = gradients.run(batch_.inputs, gradients.embedding_sums(batch_.inputs),
                                    std::vector<ScoredLogit>{{.token = 1, .output = 1}}, true);
  EXPECT_NEAR(result.scores.at(1), trained_.values<float>()[2 * 6 + 1], 1e-4);
}

}  // namespace
}  // namespace cloze::internal
