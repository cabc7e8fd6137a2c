// Whole models on a second device, whose memory the host cannot touch, against the processor's:
// inference with every head, and the gradients of inputs.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bert/head_model.h"
#include "bert/second_device.h"
#include "bert/training/input_gradients.h"
#include "bert/training/task_model.h"
#include "cloze/error.h"

namespace cloze::internal {
namespace {

class EveryHead : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(ReferenceDevice, EveryHead,
                         ::testing::Range<std::size_t>(0, kHeads.size()), [](const auto& info) {
                           std::string name(kHeads.at(info.param).pipeline);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(EveryHead, ItsForwardIsTheProcessors) {
  const auto& head = kHeads.at(GetParam());
  for (const auto activation :
       {Activation::gelu, Activation::gelu_tanh, Activation::relu, Activation::silu}) {
    auto config = small_config();
    config.hidden_act = activation;
    RandomStream random(1, GetParam());
    const auto batch = random_batch(random, config);
    const auto positions = random_ints(random, 9, batch.total_tokens());
    const auto on_cpu = HeadModel::random(config, head, 5, {});
    const auto on_second = HeadModel::random(config, head, 5, {}, second());
    EXPECT_EQ(on_cpu->num_parameters(), on_second->num_parameters());

    // What the head reads alone, then all that there is.
    expect_same(on_second->run(batch, positions), on_cpu->run(batch, positions), "result");
    BertOutput wanted, got;
    const auto everything = [](BertOutput& output) {
      return ForwardOptions{
          .output_hidden_states = true, .output_attentions = true, .encoder_output = &output};
    };
    const auto results = on_cpu->run(batch, positions, everything(wanted));
    expect_same(on_second->run(batch, positions, everything(got)), results, "whole result");
    expect_same(got.last_hidden_state, wanted.last_hidden_state, "last hidden state");
    expect_same(got.pooler_output, wanted.pooler_output, "pooler output");
    expect_same(got.hidden_states, wanted.hidden_states, "hidden states");
    expect_same(got.attentions, wanted.attentions, "attentions");
    if (head.unit == HeadUnit::position) {
      expect_same(on_second->decode(wanted.hidden_states[1]),
                  on_cpu->decode(wanted.hidden_states[1]), "decoded hidden states");
    }
  }
}

TEST(ReferenceDevice, AForwardStopsForItsResultsAlone) {
  const reference::Device device;
  const auto config = small_config();
  RandomStream random(2, 0);
  const auto batch = random_batch(random, config);
  const auto positions = random_ints(random, 9, batch.total_tokens());
  const auto model = HeadModel::random(config, heads::pretraining, 5, {}, device);
  const auto stalls = device.stalls(), operations = device.operations();
  const auto results = model->run(batch, positions);
  EXPECT_EQ(results.size(), 2U);
  EXPECT_LE(device.stalls() - stalls, results.size());
  EXPECT_GE(device.operations() - operations, 20U);
}

TEST(ReferenceDevice, ThreadsShareAModelThere) {
  const auto config = small_config();
  RandomStream random(11, 0);
  const auto batch = random_batch(random, config);
  const auto model = HeadModel::random(config, heads::token_classification, 5, {}, second());
  const auto wanted = model->logits(batch);
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) result = model->logits(batch);
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(testing::max_abs_difference(result, wanted), 0);
}

TEST(ReferenceDevice, WhatItDoesNotComputeInIsRefused) {
  const auto config = small_config();
  const auto& head = heads::token_classification;
  for (const auto precision : {Precision::bf16, Precision::int8}) {
    EXPECT_THROW(
        static_cast<void>(HeadModel::random(config, head, 5, {.precision = precision}, second())),
        ModelError);
  }
  const auto best = HeadModel::random(config, head, 5, {.precision = Precision::best}, second());
  EXPECT_EQ(best->encoder().precision(), Precision::f32);
  RandomWeights weights(config, 5);
  TaskModelOptions options{.head = &head, .compute = DType::bf16};
  options.device = &second();
  EXPECT_THROW(static_cast<void>(TaskModel(config, weights, options, 1)), ModelError);
}

TEST(ReferenceDevice, EmptyBatchesAndNoPositions) {
  const auto config = small_config();
  for (const auto& head : kHeads) {
    const auto on_cpu = HeadModel::random(config, head, 5, {});
    const auto on_second = HeadModel::random(config, head, 5, {}, second());
    expect_same(on_second->run({}), on_cpu->run({}), std::string(head.pipeline));
    RandomStream random(3, 0);
    const auto batch = random_batch(random, config);
    expect_same(on_second->run(batch), on_cpu->run(batch), std::string(head.pipeline));
  }
}

TEST(ReferenceDevice, InputGradientsAreTheProcessors) {
  for (const auto& head : kHeads) {
    if (head.layers().size() != 1) continue;
    SCOPED_TRACE(head.pipeline);
    const auto config = small_config();
    RandomWeights weights(config, 9);
    InputGradients on_cpu(config, weights, head), on_second(config, weights, head, second());
    RandomStream random(9, 0);
    Batch batch;
    for (const std::size_t length : {5, 2, 13}) {
      batch.append(random_ints(random, length, config.vocab_size));
    }
    const auto sums = on_cpu.embedding_sums(batch);
    expect_same(on_second.embedding_sums(batch), sums, "embedding sums");
    expect_same(on_second.word_embeddings(batch.input_ids), on_cpu.word_embeddings(batch.input_ids),
                "word embeddings");
    const std::vector<ScoredLogit> logits{{.token = 0, .output = 0}, {.token = 1, .output = 0}};
    for (const bool gradients : {false, true}) {
      const auto wanted = on_cpu.run(batch, sums, logits, gradients);
      const auto got = on_second.run(batch, sums, logits, gradients);
      ASSERT_EQ(got.scores.size(), wanted.scores.size());
      for (std::size_t i = 0; i < got.scores.size(); ++i) {
        EXPECT_NEAR(got.scores[i], wanted.scores[i], kTolerance * (1 + std::abs(wanted.scores[i])));
      }
      EXPECT_EQ(got.gradients.empty(), !gradients);
      expect_same(got.gradients, wanted.gradients, "gradients");
    }
  }
}

}  // namespace
}  // namespace cloze::internal
