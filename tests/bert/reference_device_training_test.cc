// Steps of pre-training and of fine-tuning on a second device, whose memory the host cannot touch,
// against the processor's.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bert/second_device.h"
#include "bert/training/pretraining.h"
#include "bert/training/task_model.h"
#include "core/temp_directory.h"
#include "ops/transfer.h"
#include "train/optimizer/optimizer.h"

namespace cloze::internal {
namespace {

constexpr double kLearningRate = 1e-2;
constexpr int kSteps = 3;

/// Whether nothing was started since the host last waited: it read its numbers when all of a pass
/// was under way.
bool is_idle(const reference::Device& device) {
  const auto before = device.stalls();
  device.wait(device.operations());
  return device.stalls() == before;
}

/// Gradients of a parameter may differ by a share of its greatest one, and by a small share of the
/// model's: some, as that of a key's bias, are sums that vanish but for rounding.
void expect_same_gradients(Parameters& got, Parameters& wanted) {
  double most = 0;
  for (const auto& parameter : wanted.all()) {
    most = std::max(most,
                    greatest(ops::to_host(wanted.device(), parameter.gradient, parameter.shape)));
  }
  EXPECT_GT(most, 0);
  for (const auto& parameter : wanted.all()) {
    const auto& other = got.at(parameter.name);
    expect_same(ops::to_host(got.device(), other.gradient, other.shape),
                ops::to_host(wanted.device(), parameter.gradient, parameter.shape),
                "gradient of " + parameter.name, 1e-6 * most);
  }
}

/// After steps, a thousandth of what they can move a value by.
void expect_same_values(const TensorMap& got, const TensorMap& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [name, tensor] : wanted) {
    if (tensor.dtype() != DType::f32) continue;
    expect_same(got.at(name), tensor, name, 1e-3 * kLearningRate * kSteps);
  }
}

/// A greater ε than users have: a gradient that is nothing but rounding then moves nothing.
OptimizerSettings settings_of(OptimizerKind kind) { return {.kind = kind, .epsilon = 1e-3}; }

PretrainingBatch pretraining_batch(RandomStream& random, const BertConfig& config) {
  PretrainingBatch batch;
  batch.inputs = random_batch(random, config);
  for (std::int32_t at = 1; at < batch.inputs.total_tokens(); at += 6) {
    batch.masked_positions.push_back(at);
  }
  batch.masked_labels = random_ints(random, batch.masked_positions.size(), config.vocab_size);
  batch.next_sentence_labels =
      random_ints(random, static_cast<std::size_t>(batch.inputs.sequences()), 2);
  return batch;
}

void expect_same_loss(const PretrainingLoss& got, const PretrainingLoss& wanted) {
  expect_near(got.masked_lm_sum, wanted.masked_lm_sum, "masked-LM loss");
  expect_near(got.next_sentence_sum, wanted.next_sentence_sum, "next-sentence loss");
  EXPECT_EQ(got.masked, wanted.masked);
  EXPECT_EQ(got.masked_correct, wanted.masked_correct);
  EXPECT_EQ(got.sequences, wanted.sequences);
  EXPECT_EQ(got.next_sentence_correct, wanted.next_sentence_correct);
}

struct PretrainingCase {
  const char* name;
  bool next_sentence = true;
  bool recompute = false;
  bool dropout = true;
  OptimizerKind optimizer = OptimizerKind::adamw;
};

void PrintTo(const PretrainingCase& wish, std::ostream* out) { *out << wish.name; }

class PretrainingSteps : public ::testing::TestWithParam<PretrainingCase> {};
INSTANTIATE_TEST_SUITE_P(
    ReferenceDevice, PretrainingSteps,
    ::testing::Values(PretrainingCase{.name = "plain", .dropout = false},
                      PretrainingCase{.name = "dropout"},
                      PretrainingCase{.name = "recompute", .recompute = true},
                      PretrainingCase{.name = "masked_lm_alone", .next_sentence = false},
                      PretrainingCase{.name = "lamb", .optimizer = OptimizerKind::lamb}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(PretrainingSteps, AreTheProcessors) {
  const auto& wish = GetParam();
  const auto config = small_config();
  TrainingOptions options{.next_sentence = wish.next_sentence, .recompute = wish.recompute};
  RandomWeights weights(config, 7);
  PretrainingModel on_cpu(config, weights, options);
  options.device = &second();
  PretrainingModel on_second(config, weights, options);
  Optimizer of_cpu(on_cpu.parameters(), settings_of(wish.optimizer));
  Optimizer of_second(on_second.parameters(), settings_of(wish.optimizer));
  RandomStream random(4, 0);
  PretrainingBatch batch;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    for (std::uint64_t part = 0; part < 2; ++part) {  // whose gradients are added up
      batch = pretraining_batch(random, config);
      const TrainingPass pass{.masked_lm_scale = 0.5 / static_cast<double>(batch.masked()),
                              .next_sentence_scale = 1.0 / 12,
                              .seed = 3,
                              .pass = 2 * step + part,
                              .dropout = wish.dropout};
      expect_same_loss(on_second.forward_backward(batch, pass),
                       on_cpu.forward_backward(batch, pass));
    }
    expect_same_gradients(on_second.parameters(), on_cpu.parameters());
    const auto wanted = of_cpu.step(kLearningRate), got = of_second.step(kLearningRate);
    expect_near(got.gradient_norm, wanted.gradient_norm, "gradient norm");
    EXPECT_TRUE(got.finite);
    expect_same_values(on_second.parameters().tensors(), on_cpu.parameters().tensors());
    if (HasFailure()) return;
  }
  expect_same_values(of_second.state(), of_cpu.state());
  expect_same_loss(on_second.evaluate(batch), on_cpu.evaluate(batch));
  expect_same(on_second.predict(batch.inputs, batch.masked_positions),
              on_cpu.predict(batch.inputs, batch.masked_positions), "predictions");
  on_second.parameters().zero_gradients();
  EXPECT_EQ(on_second.evaluate({}).masked, 0);
}

TEST(ReferenceDevice, APretrainingStepStopsForItsLossesAndItsNorm) {
  const reference::Device device;
  const auto config = small_config();
  RandomWeights weights(config, 7);
  TrainingOptions options;
  options.device = &device;
  PretrainingModel model(config, weights, options);
  Optimizer optimizer(model.parameters(), {});
  RandomStream random(5, 0);
  const auto batch = pretraining_batch(random, config);
  for (int step = 0; step < 2; ++step) {
    const auto stalls = device.stalls(), operations = device.operations();
    static_cast<void>(model.forward_backward(batch, {}));
    EXPECT_TRUE(is_idle(device));
    static_cast<void>(optimizer.step(kLearningRate));
    EXPECT_LE(device.stalls() - stalls, 2U);  // all losses at once; the norm
    EXPECT_GE(device.operations() - operations, 80U);
  }
}

struct TaskCase {
  const char* name;
  const HeadKind* head;
  TaskLoss loss = TaskLoss::cross_entropy;
  std::vector<float> class_weights = {};
  double smoothing = 0;
  std::int64_t freeze_layers = 0;
  bool freeze_embeddings = false;
  bool recompute = false;
  bool dropout = true;
  OptimizerKind optimizer = OptimizerKind::adamw;
};

std::vector<TaskCase> task_cases() {
  const auto* sequence = &heads::sequence_classification;
  const auto* token = &heads::token_classification;
  const auto* span = &heads::question_answering;
  const auto* choice = &heads::multiple_choice;
  const auto* pair = &heads::sentence_embedding;
  return {
      {.name = "sequence", .head = sequence},
      {.name = "sequence_plain", .head = sequence, .dropout = false},
      {.name = "sequence_weighted_smoothed",
       .head = sequence,
       .class_weights = {0.5F, 1, 2},
       .smoothing = 0.1},
      {.name = "sequence_multi_label", .head = sequence, .loss = TaskLoss::binary_cross_entropy},
      {.name = "sequence_regression", .head = sequence, .loss = TaskLoss::mean_squared_error},
      {.name = "sequence_frozen", .head = sequence, .freeze_layers = 2},
      {.name = "sequence_lamb", .head = sequence, .optimizer = OptimizerKind::lamb},
      {.name = "next_sentence", .head = &heads::next_sentence},
      {.name = "token", .head = token},
      {.name = "token_weighted_recompute",
       .head = token,
       .class_weights = {0.5F, 1, 2},
       .recompute = true},
      {.name = "token_frozen_embeddings", .head = token, .freeze_embeddings = true},
      {.name = "span", .head = span},
      {.name = "span_smoothed_frozen_recompute",
       .head = span,
       .smoothing = 0.1,
       .freeze_layers = 1,
       .recompute = true},
      {.name = "choice", .head = choice},
      {.name = "choice_smoothed_all_frozen", .head = choice, .smoothing = 0.1, .freeze_layers = 3},
      {.name = "pair_negatives", .head = pair, .loss = TaskLoss::in_batch_negatives},
      {.name = "pair_cosine", .head = pair, .loss = TaskLoss::cosine_error, .recompute = true},
  };
}

TaskBatch task_batch(RandomStream& random, const BertConfig& config, const TaskCase& wish) {
  TaskBatch batch{.inputs = random_batch(random, config)};
  const auto sequences = static_cast<std::size_t>(batch.inputs.sequences());
  const auto floats = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      batch.targets.push_back(wish.loss == TaskLoss::binary_cross_entropy
                                  ? static_cast<float>(random.below(2))
                                  : static_cast<float>(random.uniform()));
    }
  };
  if (wish.head->unit == HeadUnit::pair) {
    if (wish.loss == TaskLoss::cosine_error) floats(sequences / 2);
  } else if (wish.head->unit == HeadUnit::span) {
    for (std::size_t s = 0; s < sequences; ++s) {
      const auto length = batch.inputs.length(static_cast<std::int64_t>(s));
      batch.start_positions.push_back(random_ints(random, 1, length)[0]);
      batch.end_positions.push_back(random_ints(random, 1, length)[0]);
    }
  } else if (wish.head->unit == HeadUnit::choice) {
    batch.choices = {2, 1, 3};
    batch.labels = {1, 0, 2};
  } else if (wish.loss != TaskLoss::cross_entropy) {
    floats(sequences * 3);
  } else if (wish.head->unit == HeadUnit::token) {
    batch.labels = random_ints(random, static_cast<std::size_t>(batch.inputs.total_tokens()), 3);
    for (std::size_t i = 0; i < batch.labels.size(); i += 3) batch.labels[i] = kIgnoredLabel;
  } else {
    batch.labels = random_ints(random, sequences, wish.head == &heads::next_sentence ? 2 : 3);
  }
  return batch;
}

void expect_same_loss(const TaskLossSum& got, const TaskLossSum& wanted) {
  expect_near(got.sum, wanted.sum, "loss");
  expect_near(got.weight, wanted.weight, "weight");
  EXPECT_EQ(got.labelled, wanted.labelled);
  EXPECT_EQ(got.correct, wanted.correct);
}

void PrintTo(const TaskCase& wish, std::ostream* out) { *out << wish.name; }

class TaskSteps : public ::testing::TestWithParam<TaskCase> {};
INSTANTIATE_TEST_SUITE_P(ReferenceDevice, TaskSteps, ::testing::ValuesIn(task_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(TaskSteps, AreTheProcessors) {
  const auto& wish = GetParam();
  const auto config = small_config();
  TaskModelOptions options{.head = wish.head,
                           .loss = wish.loss,
                           .recompute = wish.recompute,
                           .class_weights = wish.class_weights,
                           .label_smoothing = wish.smoothing,
                           .freeze_layers = wish.freeze_layers,
                           .freeze_embeddings = wish.freeze_embeddings};
  RandomWeights weights(config, 7);
  TaskModel on_cpu(config, weights, options, 1);
  options.device = &second();
  TaskModel on_second(config, weights, options, 1);
  // The words' table steps by rows, where it steps at all.
  Optimizer of_cpu(on_cpu.parameters(), settings_of(wish.optimizer), kWordEmbeddings);
  Optimizer of_second(on_second.parameters(), settings_of(wish.optimizer), kWordEmbeddings);
  RandomStream random(6, 0);
  TaskBatch batch;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    batch = task_batch(random, config, wish);
    of_cpu.read(batch.inputs.input_ids);
    of_second.read(batch.inputs.input_ids);
    const TaskPass pass{
        .scale = 1 / on_cpu.weight(batch), .seed = 3, .pass = step, .dropout = wish.dropout};
    expect_same_loss(on_second.forward_backward(batch, pass), on_cpu.forward_backward(batch, pass));
    expect_same_gradients(on_second.parameters(), on_cpu.parameters());
    const auto wanted = of_cpu.step(kLearningRate), got = of_second.step(kLearningRate);
    expect_near(got.gradient_norm, wanted.gradient_norm, "gradient norm");
    EXPECT_TRUE(got.finite);
    if (HasFailure()) return;
  }
  of_cpu.catch_up();
  of_second.catch_up();
  expect_same_values(on_second.parameters().tensors(), on_cpu.parameters().tensors());
  expect_same_values(of_second.state(), of_cpu.state());
  expect_same_loss(on_second.evaluate(batch), on_cpu.evaluate(batch));
  TaskLossSum wanted_loss, got_loss;
  const auto wanted = on_cpu.predict(batch, &wanted_loss);
  expect_same(on_second.predict(batch, &got_loss), wanted, "predictions");
  expect_same_loss(got_loss, wanted_loss);
}

TEST(ReferenceDevice, AFineTuningStepStopsForItsLossAndItsNorm) {
  for (const auto& wish : task_cases()) {
    SCOPED_TRACE(wish.name);
    const reference::Device device;
    const auto config = small_config();
    RandomWeights weights(config, 7);
    TaskModelOptions options{.head = wish.head, .loss = wish.loss};
    options.device = &device;
    TaskModel model(config, weights, options, 1);
    Optimizer optimizer(model.parameters(), {}, kWordEmbeddings);
    RandomStream random(7, 0);
    for (int step = 0; step < 2; ++step) {
      const auto batch = task_batch(random, config, wish);
      optimizer.read(batch.inputs.input_ids);
      const auto stalls = device.stalls(), operations = device.operations();
      static_cast<void>(model.forward_backward(batch, {}));
      // The loss of pairs is the host's to compute, in the middle of a pass.
      const bool pairs = wish.head->unit == HeadUnit::pair;
      EXPECT_TRUE(pairs || is_idle(device));
      static_cast<void>(optimizer.step(kLearningRate));
      EXPECT_LE(device.stalls() - stalls, 2U);
      EXPECT_GE(device.operations() - operations, 70U);
    }
  }
}

TEST(ReferenceDevice, AStateGoesOnThere) {
  const auto config = small_config();
  const TaskCase wish{.name = "sequence", .head = &heads::sequence_classification};
  RandomWeights weights(config, 7);
  TaskModelOptions options{.head = wish.head};
  options.device = &second();
  TaskModel straight(config, weights, options, 1), stopped(config, weights, options, 1);
  const auto step = [](TaskModel& model, Optimizer& optimizer, const TaskBatch& batch) {
    optimizer.read(batch.inputs.input_ids);
    static_cast<void>(model.forward_backward(batch, {}));
    static_cast<void>(optimizer.step(kLearningRate));
    optimizer.catch_up();
  };
  RandomStream random(8, 0);
  const auto first = task_batch(random, config, wish), next = task_batch(random, config, wish);
  Optimizer all(straight.parameters(), {}, kWordEmbeddings);
  step(straight, all, first);
  step(straight, all, next);

  const testing::TempDirectory directory;
  const auto file = directory.path() / "state.safetensors";
  {
    Optimizer before(stopped.parameters(), {}, kWordEmbeddings);
    step(stopped, before, first);
    save_safetensors(file, before.state());
  }
  Optimizer after(stopped.parameters(), {}, kWordEmbeddings);
  after.load_state(Checkpoint::open(file));
  step(stopped, after, next);
  const auto wanted = straight.parameters().tensors(), got = stopped.parameters().tensors();
  for (const auto& [name, tensor] : wanted) {
    EXPECT_EQ(testing::max_abs_difference(got.at(name), tensor), 0) << name;
  }
}

}  // namespace
}  // namespace cloze::internal
