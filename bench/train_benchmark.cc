#include "bench/train_benchmark.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "bench/encode_benchmark.h"
#include "bench/quantiles.h"
#include "bert/token_selection.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "ops/gemm_rate.h"
#include "train/optimizer/optimizer.h"

namespace cloze {
namespace {

/// Every product of a step: forward [m, k]·[k, n], and the two of its backward.
std::vector<ops::GemmShape> gemm_shapes(const BertConfig& config,
                                        const internal::PretrainingBatch& batch) {
  std::vector<ops::GemmShape> shapes;
  const auto add = [&](std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t count) {
    shapes.push_back({.m = m, .n = n, .k = k, .count = count});
    shapes.push_back({.m = m, .n = k, .k = n, .count = count});
    shapes.push_back({.m = n, .n = k, .k = m, .count = count});
  };
  const auto hidden = config.hidden_size, inner = config.intermediate_size;
  const auto tokens = batch.inputs.total_tokens(), layers = config.num_hidden_layers;
  const auto after_attention = [&](std::int64_t rows, std::int64_t count) {
    add(rows, hidden, hidden, count);
    add(rows, inner, hidden, count);
    add(rows, hidden, inner, count);
  };
  add(tokens, 3 * hidden, hidden, layers - 1);
  after_attention(tokens, layers - 1);
  // The last layer goes on for the tokens that the heads look at.
  const auto selected = internal::TokenSelection::of(batch.inputs, batch.masked_positions, true);
  const std::int64_t rows = selected.rows(batch.inputs);
  add(tokens, 2 * hidden, hidden, 1);
  add(rows, hidden, hidden, 1);
  after_attention(rows, 1);
  if (batch.masked() > 0) {
    add(batch.masked(), hidden, hidden, 1);
    add(batch.masked(), config.vocab_size, hidden, 1);
  }
  return shapes;
}

}  // namespace

internal::PretrainingBatch random_pretraining_batch(const BertConfig& config,
                                                    std::span<const std::int64_t> lengths,
                                                    std::uint64_t seed) {
  internal::PretrainingBatch batch;
  std::mt19937_64 random(seed);
  const auto vocabulary = static_cast<std::uint64_t>(config.vocab_size);
  for (const auto& text : random_texts(config, lengths, seed)) {
    const auto begin = static_cast<std::int32_t>(batch.inputs.total_tokens());
    batch.inputs.append(text.ids);
    const auto length = static_cast<std::int32_t>(text.ids.size());
    const auto count = static_cast<std::int32_t>((3 * length + 19) / 20);
    for (std::int32_t i = 0; i < count; ++i) {
      batch.masked_positions.push_back(begin + i * length / count);
      batch.masked_labels.push_back(static_cast<std::int32_t>(random() % vocabulary));
    }
    batch.next_sentence_labels.push_back(static_cast<std::int32_t>(random() % 2));
  }
  return batch;
}

TrainBenchmark benchmark_train(const BertConfig& config, std::span<const std::int64_t> lengths,
                               const TrainBenchmarkOptions& options) {
  constexpr double budget_ms = 5000;
  const auto batch = random_pretraining_batch(config, lengths);
  internal::RandomWeights weights(config, 0);
  internal::PretrainingModel model(config, weights,
                                   {.compute = options.compute, .recompute = options.recompute});
  TrainBenchmark result;
  result.sequences = batch.inputs.sequences();
  result.tokens = batch.inputs.total_tokens();
  result.masked = batch.masked();
  result.longest = batch.inputs.max_length();
  result.parameters = model.parameters().count();
  result.threads = num_threads();
  result.flops = model.operations(batch);

  std::uint64_t passes = 0;
  const auto pass = [&](Profile* profile) {
    return model.forward_backward(
        batch, {.masked_lm_scale = 1.0 / static_cast<double>(batch.masked()),
                .next_sentence_scale = 1.0 / static_cast<double>(batch.inputs.sequences()),
                .pass = passes++,
                .dropout = options.dropout,
                .profile = profile});
  };
  constexpr double learning_rate = 1e-4;
  Optimizer optimizer(model.parameters(), {});
  std::vector<double> optimizer_ms;
  const auto step = [&] {
    const auto start = Clock::now();
    result.loss = pass(nullptr).loss();
    const auto middle = Clock::now();
    static_cast<void>(optimizer.step(learning_rate));
    optimizer_ms.push_back(milliseconds_since(middle));
    return milliseconds_since(start);
  };
  constexpr int repeats = 3;
  time_passes(result, options.passes, budget_ms, step, [&] {
    return ops::gemm_rate(*model.options().device, gemm_shapes(config, batch),
                          model.options().compute, repeats);
  });
  optimizer_ms.erase(optimizer_ms.begin(),  // the warm-up's
                     optimizer_ms.end() - static_cast<std::ptrdiff_t>(result.ms.size()));
  result.activation_bytes = model.activation_bytes();
  result.optimizer_ms = median(std::move(optimizer_ms));
  if (options.passes.profile) {
    const auto start = Clock::now();
    static_cast<void>(pass(&result.profile));
    result.profiled_seconds = seconds_since(start);
  }
  return result;
}

}  // namespace cloze
