// Task models in training: logits, losses and gradients against PyTorch's, freezing, new heads.
#include "bert/training/task_model.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bert/head_model.h"
#include "cloze/bert.h"
#include "cloze/error.h"
#include "core/parallel.h"
#include "goldens/task_golden.h"

namespace cloze::internal {
namespace {

using testing::batch_of;
using testing::elements;
using testing::golden_directory;
using testing::max_abs_difference;
using testing::options_of;
using testing::TaskGolden;

TaskModel load_task(const TaskGolden& golden, const TaskModelOptions& options) {
  const auto directory = golden_directory(golden.directory);
  CheckpointWeights weights(Checkpoint::open(directory));
  return {BertConfig::from_pretrained(directory), weights, options, 0};
}

TaskModel load_task(const TaskGolden& golden) {
  const auto config = BertConfig::from_pretrained(golden_directory(golden.directory));
  return load_task(golden, options_of(golden, config.num_labels()));
}

double gradient_norm(std::span<const float> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double distance(std::span<const float> a, std::span<const float> b) {
  std::vector<float> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return gradient_norm(difference);
}

std::vector<float> task_gradients_of(TaskModel& model) {
  const auto all = model.parameters().gradients();
  return {all.begin(), all.end()};
}

TaskPass mean_pass(const TaskModel& model, const TaskBatch& batch) {
  return {.scale = 1 / model.weight(batch), .dropout = false};
}

TaskPass task_dropout_pass(const TaskModel& model, const TaskBatch& batch, std::uint64_t pass) {
  return {.scale = 1 / model.weight(batch), .seed = 42, .pass = pass};
}

/// What the error of a gradient is measured by: its own size, unless it is nothing but rounding,
/// because the parameter moves all that a softmax is taken of by the same amount. ELECTRA's attention
/// is so even there that the tokens' parts of a query's bias cancel each other.
std::string yardstick_of(std::string name, const HeadKind* head, bool electra) {
  const auto instead = [&](const std::string& end, const std::string& other) {
    if (name.ends_with(end)) name.replace(name.size() - end.size(), end.size(), other);
  };
  instead(".key.bias", ".query.bias");
  if (electra) instead(".query.bias", ".query.weight");
  if (head == &heads::question_answering) {
    instead("qa_outputs.bias", "qa_outputs.weight");
    instead("layer.1.output.LayerNorm.bias", "layer.1.output.LayerNorm.weight");
  }
  if (head == &heads::multiple_choice) instead("classifier.bias", "classifier.weight");
  return name;
}

class TaskGoldens : public ::testing::TestWithParam<TaskGolden> {};
INSTANTIATE_TEST_SUITE_P(Heads, TaskGoldens, ::testing::ValuesIn(testing::task_goldens),
                         [](const auto& info) {
                           auto name = std::string(info.param.directory) + "_" +
                                       std::string(info.param.loss);
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

TEST_P(TaskGoldens, EveryGradientIsPyTorchs) {
  const auto reference = Checkpoint::open(testing::file_of(GetParam()));
  const auto batch = batch_of(GetParam());
  const double wanted_loss = elements<float>(reference.tensor("loss"))[0];
  for (const DType compute : {DType::f32, DType::bf16}) {
    if (!ops::accelerates(compute)) continue;
    const bool exact = compute == DType::f32;
    auto model = load_task(GetParam());
    if (!exact) {
      auto options = model.options();
      options.compute = compute;
      model = load_task(GetParam(), options);
    }
    EXPECT_FALSE(model.has_new_head());
    EXPECT_LE(max_abs_difference(model.predict(batch), reference.tensor("logits")),
              exact ? 1e-5 : 5e-2);
    const auto loss = model.forward_backward(batch, mean_pass(model, batch));
    EXPECT_NEAR(loss.loss(), wanted_loss, (exact ? 1e-5 : 1e-2) * wanted_loss);
    EXPECT_NEAR(loss.weight, model.weight(batch), 1e-9);
    EXPECT_EQ(model.parameters().all().size() + 2, reference.names().size());
    for (const auto& parameter : model.parameters().all()) {
      const auto wanted =
          elements<float>(reference.tensor(testing::pytorch_name(GetParam(), parameter.name)));
      ASSERT_EQ(wanted.size(), parameter.gradient.size()) << parameter.name;
      const auto yardstick = yardstick_of(parameter.name, GetParam().head,
                                          GetParam().directory.starts_with("electra/"));
      const double scale = gradient_norm(
          elements<float>(reference.tensor(testing::pytorch_name(GetParam(), yardstick))));
      EXPECT_LE(distance(parameter.gradient, wanted), (exact ? 1e-5 : 5e-2) * scale)
          << parameter.name;
    }
  }
}

TEST_P(TaskGoldens, EvaluationIsTheForwardWithoutDropout) {
  const auto batch = batch_of(GetParam());
  auto model = load_task(GetParam());
  const auto evaluated = model.evaluate(batch);
  EXPECT_EQ(gradient_norm(model.parameters().gradients()), 0.0);
  const auto trained = model.forward_backward(batch, mean_pass(model, batch));
  EXPECT_EQ(evaluated.sum, trained.sum);
  EXPECT_EQ(evaluated.weight, trained.weight);
  EXPECT_EQ(evaluated.labelled, trained.labelled);
  EXPECT_EQ(evaluated.correct, trained.correct);
  EXPECT_LE(evaluated.correct, evaluated.labelled);
}

// With dropout on, the gradient is that of the function which the pass's masks make of the model.
TEST_P(TaskGoldens, TheGradientUnderDropoutIsItsFunctionsOwn) {
  const auto batch = batch_of(GetParam());
  auto model = load_task(GetParam());
  const auto pass = task_dropout_pass(model, batch, 9);
  static_cast<void>(model.forward_backward(batch, pass));
  const auto gradient = task_gradients_of(model);
  const auto values = model.parameters().values();
  const std::vector<float> start(values.begin(), values.end());
  const double length = gradient_norm(gradient), step = 2e-3 / length;
  const auto loss_at = [&](double shift) {
    for (std::size_t i = 0; i < start.size(); ++i) {
      values[i] = static_cast<float>(start[i] + shift * gradient[i]);
    }
    model.parameters_changed();
    return model.forward_backward(batch, pass).loss();
  };
  const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
  EXPECT_NEAR(slope, length * length, 1e-2 * length * length);
}

TEST_P(TaskGoldens, DropoutFollowsFromThePassAlone) {
  const auto batch = batch_of(GetParam());
  auto model = load_task(GetParam());
  const auto run = [&](std::uint64_t pass) {
    model.parameters().zero_gradients();
    static_cast<void>(model.forward_backward(batch, task_dropout_pass(model, batch, pass)));
    return task_gradients_of(model);
  };
  const auto first = run(1);
  EXPECT_NE(first, run(2));
  EXPECT_EQ(first, run(1));
}

TEST_P(TaskGoldens, FrozenPartsHaveNoGradientAndTheOthersTheirs) {
  const auto batch = batch_of(GetParam());
  auto whole = load_task(GetParam());
  const auto pass = task_dropout_pass(whole, batch, 4);
  const auto loss = whole.forward_backward(batch, pass);
  for (const bool recompute : {false, true}) {
    for (const std::int64_t layers : {0, 1, 2}) {
      auto options = whole.options();
      options.freeze_embeddings = true;
      options.freeze_layers = layers;
      options.recompute = recompute;
      auto model = load_task(GetParam(), options);
      EXPECT_EQ(model.forward_backward(batch, pass).sum, loss.sum);
      for (const auto& parameter : model.parameters().all()) {
        const auto& name = parameter.name;
        const bool frozen = name.starts_with("bert.embeddings") ||
                            (layers > 0 && name.starts_with("bert.encoder.layer.0.")) ||
                            (layers > 1 && name.starts_with("bert.encoder.layer.1."));
        EXPECT_EQ(parameter.rate, frozen ? 0 : 1) << name;
        const auto& wanted = whole.parameters().at(name).gradient;
        if (frozen) {
          EXPECT_EQ(gradient_norm(parameter.gradient), 0.0) << name;
        } else {
          EXPECT_EQ(distance(parameter.gradient, wanted), 0.0) << name;
        }
      }
    }
  }
}

TEST_P(TaskGoldens, InferenceComputesTheSameLogits) {
  const auto directory = golden_directory(GetParam().directory);
  const auto batch = batch_of(GetParam());
  auto model = load_task(GetParam());
  const auto trained = model.predict(batch);
  const auto served = HeadModel::from_pretrained(directory, *GetParam().head, {});
  EXPECT_LE(max_abs_difference(trained, served->logits(batch.inputs)), 1e-5);
}

/// The sequences [begin, end) of a batch of a sequence classifier.
TaskBatch task_part_of(const TaskBatch& whole, std::int64_t begin, std::int64_t end) {
  TaskBatch part;
  for (auto s = static_cast<std::size_t>(begin); s < static_cast<std::size_t>(end); ++s) {
    const auto from = static_cast<std::size_t>(whole.inputs.cu_seqlens[s]);
    const auto count = static_cast<std::size_t>(whole.inputs.cu_seqlens[s + 1]) - from;
    part.inputs.append(std::span(whole.inputs.input_ids).subspan(from, count),
                       std::span(whole.inputs.token_type_ids).subspan(from, count));
    part.labels.push_back(whole.labels[s]);
  }
  return part;
}

TEST(TaskModel, AccumulatedPartsAreTheWhole) {
  const TaskGolden golden{"task_sequence", "weighted_smoothed", &heads::sequence_classification};
  const auto whole = batch_of(golden);
  auto once = load_task(golden), twice = load_task(golden);
  const auto pass = mean_pass(once, whole);
  const auto all = once.forward_backward(whole, pass);
  const auto first = task_part_of(whole, 0, 2),
             second = task_part_of(whole, 2, whole.inputs.sequences());
  EXPECT_NEAR(twice.weight(first) + twice.weight(second), once.weight(whole), 1e-12);
  auto sum = twice.forward_backward(first, pass);
  sum += twice.forward_backward(second, pass);
  EXPECT_NEAR(all.loss(), sum.loss(), 1e-6 * all.loss());
  EXPECT_LE(distance(task_gradients_of(once), task_gradients_of(twice)),
            1e-5 * gradient_norm(task_gradients_of(once)));
}

TEST(TaskModel, ANewHeadIsBertsInitialisationByItsSeed) {
  const auto directory = golden_directory("task_sequence");
  auto config = BertConfig::from_pretrained(directory);
  config.id2label.resize(3);
  const auto make = [&](std::uint64_t seed, bool fresh, const HeadKind* head) {
    CheckpointWeights weights(Checkpoint::open(directory));
    return TaskModel(config, weights, {.head = head}, seed, fresh);
  };
  auto model = make(5, false, &heads::sequence_classification);  // three labels instead of four
  EXPECT_TRUE(model.has_new_head());
  const auto& weight = model.parameters().at("classifier.weight");
  EXPECT_EQ(weight.shape, (Shape{3, config.hidden_size}));
  EXPECT_NEAR(gradient_norm(weight.value) / std::sqrt(weight.value.size()),
              config.initializer_range, 0.3 * config.initializer_range);
  EXPECT_EQ(gradient_norm(model.parameters().at("classifier.bias").value), 0.0);
  // The pooler is the checkpoint's.
  const auto checkpoint = Checkpoint::open(directory);
  const auto pooler = elements<float>(checkpoint.tensor("bert.pooler.dense.weight"));
  EXPECT_EQ(distance(model.parameters().at("bert.pooler.dense.weight").value, pooler), 0.0);

  auto again = make(5, false, &heads::sequence_classification),
       other = make(6, false, &heads::sequence_classification);
  EXPECT_EQ(distance(weight.value, again.parameters().at("classifier.weight").value), 0.0);
  EXPECT_GT(distance(weight.value, other.parameters().at("classifier.weight").value), 0.0);

  config = BertConfig::from_pretrained(directory);
  EXPECT_FALSE(make(5, false, &heads::sequence_classification).has_new_head());
  auto fresh = make(5, true, &heads::sequence_classification);
  EXPECT_TRUE(fresh.has_new_head());
  const auto stored = elements<float>(checkpoint.tensor("classifier.weight"));
  EXPECT_GT(distance(fresh.parameters().at("classifier.weight").value, stored), 0.0);
  EXPECT_TRUE(make(5, false, &heads::question_answering).has_new_head());
}

TEST(TaskModel, AMissingPoolerIsMadeAnew) {
  const auto directory = golden_directory("bare_no_pooler");
  CheckpointWeights weights(Checkpoint::open(directory));
  TaskModel model(BertConfig::from_pretrained(directory), weights,
                  {.head = &heads::multiple_choice}, 1);
  EXPECT_TRUE(model.has_new_head());
  EXPECT_GT(gradient_norm(model.parameters().at("bert.pooler.dense.weight").value), 0.0);
}

TEST(TaskModel, TheClassifiersDropoutIsItsOwn) {
  const auto directory = golden_directory("task_token");
  auto config = BertConfig::from_pretrained(directory);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  const auto batch = batch_of({"task_token", "cross_entropy", &heads::token_classification});
  const auto loss_with = [&](double probability) {
    config.classifier_dropout = probability;
    CheckpointWeights weights(Checkpoint::open(directory));
    TaskModel model(config, weights, {.head = &heads::token_classification}, 0);
    return model.forward_backward(batch, task_dropout_pass(model, batch, 1)).sum;
  };
  EXPECT_NE(loss_with(0.5), loss_with(0));
}

TEST(TaskModel, WhatDoesNotFitIsRefused) {
  const auto refused = [](const TaskGolden& golden, auto change) {
    auto model = load_task(golden);
    auto batch = batch_of(golden);
    change(batch);
    EXPECT_THROW(static_cast<void>(model.evaluate(batch)), ArgumentError);
  };
  const TaskGolden sequence{"task_sequence", "cross_entropy", &heads::sequence_classification};
  refused(sequence, [](auto& batch) { batch.labels.pop_back(); });
  refused(sequence, [](auto& batch) { batch.labels.back() = 4; });
  refused(sequence, [](auto& batch) { batch.labels.back() = -1; });
  refused({"task_sequence", "regression", &heads::sequence_classification},
          [](auto& batch) { batch.targets.pop_back(); });
  refused({"task_token", "cross_entropy", &heads::token_classification},
          [](auto& batch) { batch.labels.push_back(0); });
  const TaskGolden span{"task_span", "cross_entropy", &heads::question_answering};
  refused(span, [](auto& batch) { batch.start_positions.pop_back(); });
  refused(span, [](auto& batch) { batch.end_positions.front() = 7; });
  const TaskGolden choice{"task_choice", "cross_entropy", &heads::multiple_choice};
  refused(choice, [](auto& batch) { batch.choices.back() = 2; });
  refused(choice, [](auto& batch) { batch.labels.front() = 2; });
  refused(choice, [](auto& batch) { batch.choices = {6, 0}; });

  const TaskGolden pairs{"task_embedding", "cosine", &heads::sentence_embedding};
  refused(pairs, [](auto& batch) { batch.targets.pop_back(); });
  refused(pairs, [](auto& batch) { batch.inputs.append(batch.inputs.input_ids); });

  const auto impossible = [&](const TaskModelOptions& options) {
    EXPECT_THROW(static_cast<void>(load_task(sequence, options)), ArgumentError);
  };
  impossible({.class_weights = {1, 1}});
  impossible({.class_weights = {1, 1, 1, -1}});
  impossible({.label_smoothing = 1});
  impossible({.loss = TaskLoss::mean_squared_error, .label_smoothing = 0.1});
  impossible({.head = &heads::token_classification, .loss = TaskLoss::mean_squared_error});
  impossible({.freeze_layers = 3});
  impossible({.head = &heads::sentence_embedding});
  impossible({.loss = TaskLoss::in_batch_negatives});
}

TEST(TaskModel, AnEmptyBatchHasNoLoss) {
  auto model = load_task({"task_token", "cross_entropy", &heads::token_classification});
  EXPECT_EQ(model.evaluate({}).loss(), 0.0);
  EXPECT_EQ(model.forward_backward({}, {}).weight, 0.0);
  auto unlabelled = batch_of({"task_token", "cross_entropy", &heads::token_classification});
  std::fill(unlabelled.labels.begin(), unlabelled.labels.end(), kIgnoredLabel);
  EXPECT_EQ(model.weight(unlabelled), 0.0);
  EXPECT_EQ(model.evaluate(unlabelled).loss(), 0.0);
}

}  // namespace
}  // namespace cloze::internal
