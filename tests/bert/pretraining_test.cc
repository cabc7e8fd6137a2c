// The pre-training step: its losses and gradients against PyTorch's, and what must not change them.
#include "bert/training/pretraining.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "goldens/pretraining_golden.h"

namespace cloze::internal {
namespace {

using testing::elements;
using testing::golden_directory;
using testing::mean_pass;
using testing::pretraining_batch;

PretrainingModel load(const std::string& name, const TrainingOptions& options = {}) {
  const auto directory = golden_directory(name);
  CheckpointWeights weights(Checkpoint::open(directory));
  return {BertConfig::from_pretrained(directory), weights, options};
}

PretrainingBatch batch_of(const std::string& name) {
  return pretraining_batch(golden_directory(name) / "batch.safetensors");
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

std::vector<float> gradients_of(PretrainingModel& model) {
  const auto all = model.parameters().gradients();
  return {all.begin(), all.end()};
}

/// The pass with losses and dropout of a real run.
TrainingPass dropout_pass(const PretrainingBatch& batch, std::uint64_t pass) {
  auto result = mean_pass(batch);
  result.seed = 42;
  result.pass = pass;
  result.dropout = true;
  return result;
}

class Golden : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Pretraining, Golden, ::testing::Values("training_erf", "training_tanh"),
                         [](const auto& info) { return info.param; });

TEST_P(Golden, EveryGradientIsPyTorchs) {
  const auto reference = Checkpoint::open(golden_directory(GetParam()) / "gradients.safetensors");
  const auto batch = batch_of(GetParam());
  const auto losses = elements<float>(reference.tensor("losses"));
  for (const DType compute : {DType::f32, DType::bf16}) {
    if (!ops::accelerates(compute)) continue;
    const bool exact = compute == DType::f32;
    auto model = load(GetParam(), {.compute = compute});
    const auto loss = model.forward_backward(batch, mean_pass(batch));
    EXPECT_NEAR(loss.masked_lm_loss(), losses[0], (exact ? 1e-5 : 5e-3) * losses[0]);
    EXPECT_NEAR(loss.next_sentence_loss(), losses[1], (exact ? 1e-5 : 5e-3) * losses[1]);
    EXPECT_EQ(model.parameters().all().size() + 1, reference.names().size());
    for (const auto& parameter : model.parameters().all()) {
      const auto wanted = elements<float>(reference.tensor(parameter.name));
      ASSERT_EQ(wanted.size(), parameter.gradient.size()) << parameter.name;
      std::vector<float> difference(wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        difference[i] = parameter.gradient[i] - wanted[i];
      }
      // A key's bias moves no probability: its gradient is rounding, measured by its query's.
      auto yardstick = parameter.name;
      if (const auto at = yardstick.find(".key.bias"); at != std::string::npos) {
        yardstick.replace(at, 9, ".query.bias");
      }
      const double scale = norm(elements<float>(reference.tensor(yardstick)));
      EXPECT_LE(norm(difference), (exact ? 1e-5 : 4e-2) * scale) << parameter.name;
    }
  }
}

TEST_P(Golden, RecomputedActivationsGiveTheSameBits) {
  const auto batch = batch_of(GetParam());
  auto keeping = load(GetParam()), computing = load(GetParam(), {.recompute = true});
  const auto pass = dropout_pass(batch, 3);
  const auto kept = keeping.forward_backward(batch, pass);
  const auto computed = computing.forward_backward(batch, pass);
  EXPECT_EQ(kept.masked_lm_sum, computed.masked_lm_sum);
  EXPECT_EQ(gradients_of(keeping), gradients_of(computing));
}

TEST_P(Golden, EvaluationIsTheForwardWithoutDropout) {
  const auto batch = batch_of(GetParam());
  auto model = load(GetParam());
  const auto evaluated = model.evaluate(batch);
  EXPECT_EQ(norm(model.parameters().gradients()), 0.0);
  const auto trained = model.forward_backward(batch, mean_pass(batch));
  EXPECT_EQ(evaluated.masked_lm_sum, trained.masked_lm_sum);
  EXPECT_EQ(evaluated.next_sentence_sum, trained.next_sentence_sum);
  EXPECT_EQ(evaluated.masked, batch.masked());
}

/// The sequences [begin, end) of a batch.
PretrainingBatch part_of(const PretrainingBatch& whole, std::int64_t begin, std::int64_t end) {
  PretrainingBatch part;
  const auto first = whole.inputs.cu_seqlens[static_cast<std::size_t>(begin)];
  const auto last = whole.inputs.cu_seqlens[static_cast<std::size_t>(end)];
  for (std::int64_t s = begin; s < end; ++s) {
    const auto from =
        static_cast<std::size_t>(whole.inputs.cu_seqlens[static_cast<std::size_t>(s)]);
    const auto count = static_cast<std::size_t>(whole.inputs.length(s));
    part.inputs.append(std::span(whole.inputs.input_ids).subspan(from, count),
                       std::span(whole.inputs.token_type_ids).subspan(from, count));
    part.next_sentence_labels.push_back(whole.next_sentence_labels[static_cast<std::size_t>(s)]);
  }
  for (std::size_t i = 0; i < whole.masked_positions.size(); ++i) {
    const auto position = whole.masked_positions[i];
    if (position < first || position >= last) continue;
    part.masked_positions.push_back(position - first);
    part.masked_labels.push_back(whole.masked_labels[i]);
  }
  return part;
}

TEST_P(Golden, AccumulatedPartsAreTheWhole) {
  const auto whole = batch_of(GetParam());
  auto once = load(GetParam()), twice = load(GetParam());
  const auto pass = mean_pass(whole);
  auto all = once.forward_backward(whole, pass);
  auto sum = twice.forward_backward(part_of(whole, 0, 1), pass);
  sum += twice.forward_backward(part_of(whole, 1, whole.inputs.sequences()), pass);
  EXPECT_NEAR(all.masked_lm_sum, sum.masked_lm_sum, 1e-5 * all.masked_lm_sum);
  EXPECT_EQ(all.masked, sum.masked);
  EXPECT_EQ(all.sequences, sum.sequences);
  const auto a = gradients_of(once), b = gradients_of(twice);
  std::vector<float> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  EXPECT_LE(norm(difference), 1e-5 * norm(a));
}

TEST_P(Golden, DropoutFollowsFromThePassAlone) {
  const auto batch = batch_of(GetParam());
  auto model = load(GetParam());
  const auto run = [&](std::uint64_t pass, int threads) {
    set_num_threads(threads);
    model.parameters().zero_gradients();
    static_cast<void>(model.forward_backward(batch, dropout_pass(batch, pass)));
    set_num_threads(0);
    return gradients_of(model);
  };
  for (const int threads : {1, 2}) {
    const auto first = run(1, threads);
    EXPECT_NE(first, run(2, threads));
    EXPECT_EQ(first, run(1, threads));
  }
  // More threads divide the products otherwise, which moves the last bits and no mask.
  const auto one = run(1, 1), two = run(1, 2);
  std::vector<float> difference(one.size());
  for (std::size_t i = 0; i < one.size(); ++i) difference[i] = one[i] - two[i];
  EXPECT_LE(norm(difference), 1e-5 * norm(one));
}

// With dropout on, the gradient is that of the function which the pass's masks make of the model:
// the masks of the backward are the forward's.
TEST_P(Golden, TheGradientUnderDropoutIsItsFunctionsOwn) {
  const auto batch = batch_of(GetParam());
  auto model = load(GetParam());
  const auto pass = dropout_pass(batch, 9);
  static_cast<void>(model.forward_backward(batch, pass));
  const auto gradient = gradients_of(model);
  const auto values = model.parameters().values();
  const std::vector<float> start(values.begin(), values.end());
  // Along the gradient, where the loss changes most.
  const double length = norm(gradient), step = 2e-3 / length;
  const auto loss_at = [&](double distance) {
    for (std::size_t i = 0; i < start.size(); ++i) {
      values[i] = static_cast<float>(start[i] + distance * gradient[i]);
    }
    model.parameters_changed();
    return model.forward_backward(batch, pass).loss();
  };
  const double slope = (loss_at(step) - loss_at(-step)) / (2 * step);
  EXPECT_NEAR(slope, length * length, 1e-2 * length * length);
}

TEST(Pretraining, BatchesThatDoNotFitAreRefused) {
  auto model = load("training_erf");
  const auto good = batch_of("training_erf");
  const auto refused = [&](auto change) {
    auto batch = good;
    change(batch);
    EXPECT_THROW(static_cast<void>(model.evaluate(batch)), ArgumentError);
  };
  refused([](auto& batch) { batch.masked_positions.back() = 10000; });
  refused([](auto& batch) { batch.masked_labels.back() = -1; });
  refused([](auto& batch) { batch.masked_labels.pop_back(); });
  refused([](auto& batch) { batch.next_sentence_labels.pop_back(); });
  refused([](auto& batch) { batch.next_sentence_labels.back() = 2; });
  refused([](auto& batch) { batch.inputs.input_ids.front() = 67; });
  EXPECT_EQ(model.evaluate({}).masked, 0);
  auto unmasked = good;
  unmasked.masked_positions.clear();
  unmasked.masked_labels.clear();
  EXPECT_EQ(model.evaluate(unmasked).masked_lm_loss(), 0.0);
}

TEST(Pretraining, WithoutNextSentenceThereIsNoPooler) {
  auto model = load("training_erf", {.next_sentence = false});
  EXPECT_FALSE(model.parameters().contains("bert.pooler.dense.weight"));
  const auto loss = model.evaluate(batch_of("training_erf"));
  EXPECT_EQ(loss.sequences, 0);
  EXPECT_GT(loss.masked_lm_sum, 0);
}

TEST(Parameters, LieInBlocksUnderTheirNames) {
  const std::vector<ParameterShape> shapes{
      {"a.weight", {3, 5}}, {"b.weight", {2}, true}, {"c.LayerNorm.weight", {4}}, {"c.bias", {4}}};
  Parameters parameters(shapes);
  EXPECT_EQ(parameters.count(), 25);
  auto& a = parameters.at("a.weight");
  EXPECT_EQ(parameters.at("b.weight").value.data(), a.value.data() + 15);
  EXPECT_EQ((parameters.at("c.bias").value.data() - a.value.data()) % 16, 0);
  EXPECT_TRUE(a.decay);
  EXPECT_FALSE(parameters.at("c.LayerNorm.weight").decay);
  EXPECT_FALSE(parameters.at("c.bias").decay);
  EXPECT_THROW(static_cast<void>(parameters.at("d")), ModelError);
  a.gradient[3] = 1;
  parameters.zero_gradients();
  EXPECT_EQ(a.gradient[3], 0.0F);
  EXPECT_EQ(parameters.tensors().at("a.weight").shape(), (Shape{3, 5}));
  const std::vector<ParameterShape> twice{{"a", {1}}, {"a", {1}}};
  EXPECT_THROW(static_cast<void>(Parameters(twice)), ArgumentError);
}

}  // namespace
}  // namespace cloze::internal
