#include "bench/train_benchmark.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "bench/encode_benchmark.h"
#include "core/clock.h"
#include "core/parallel.h"
#include "core/quantiles.h"
#include "train/optimizer/optimizer.h"
#include "train/pretrain/matrix_rate.h"

namespace cloze {
double TrainBenchmark::percentile(double share) const { return cloze::percentile(ms, share); }

double TrainBenchmark::tokens_per_s() const {
  return static_cast<double>(tokens) / (percentile(0.5) / 1e3);
}

double TrainBenchmark::gflops() const { return flops / (percentile(0.5) / 1e3) / 1e9; }

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
  constexpr int fewest = 5;
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
  double last = 0;
  for (int i = 0; i < std::max(1, options.warmup); ++i) last = step();
  optimizer_ms.clear();
  const int iterations = options.iterations > 0
                             ? options.iterations
                             : std::max(fewest, static_cast<int>(budget_ms / last));
  constexpr int repeats = 3;
  const auto rate = [&] { return training_gemm_rate(config, model.options(), batch, repeats); };
  for (int i = 0; i < (iterations + 1) / 2; ++i) result.ms.push_back(step());
  result.peak_memory = peak_resident_memory();  // before the comparison takes memory of its own
  const double between = rate();
  for (int i = (iterations + 1) / 2; i < iterations; ++i) result.ms.push_back(step());
  result.gemm_gflops = (between + rate()) / 2;
  result.activation_bytes = model.activation_bytes();
  result.optimizer_ms = median(std::move(optimizer_ms));
  if (options.profile) {
    const auto start = Clock::now();
    static_cast<void>(pass(&result.profile));
    result.profiled_seconds = milliseconds_since(start) / 1e3;
  }
  std::sort(result.ms.begin(), result.ms.end());
  return result;
}

}  // namespace cloze
