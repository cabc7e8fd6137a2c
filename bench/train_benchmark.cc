#include "bench/train_benchmark.h"

#include <algorithm>
#include <cstddef>
#include <random>

#include "bench/encode_benchmark.h"
#include "bench/quantiles.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "train/optimizer/optimizer.h"
#include "train/pretrain/matrix_rate.h"

namespace cloze {

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
  time_passes(result, options.passes, budget_ms, step,
              [&] { return training_gemm_rate(config, model.options(), batch, repeats); });
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
