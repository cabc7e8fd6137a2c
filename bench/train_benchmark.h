/// \file
/// How fast a pre-training step is here, and what share of the machine's matrix rate that is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/timed_benchmark.h"
#include "bert/training/pretraining.h"

namespace cloze {

struct TrainBenchmarkOptions {
  DType compute = DType::f32;
  bool dropout = true;
  bool recompute = false;
  PassOptions passes{};  ///< five seconds of them, where it does not say how many
};

/// A pass is a step; the profile is of one forward and backward.
struct TrainBenchmark : TimedPasses {
  std::int64_t masked = 0;
  std::int64_t parameters = 0;
  double optimizer_ms = 0;  ///< of a step: clipping and AdamW, median
  double loss = 0;          ///< after the last step
  std::size_t activation_bytes = 0;
};

/// Times whole steps (forward, backward, clipping, AdamW) on one random batch of sequences of these
/// lengths, 15 % of their tokens masked, from random weights. Throws ArgumentError for lengths that
/// the model does not read.
[[nodiscard]] TrainBenchmark benchmark_train(const BertConfig& config,
                                             std::span<const std::int64_t> lengths,
                                             const TrainBenchmarkOptions& options);

/// A random pre-training batch, the same for the same seed.
[[nodiscard]] internal::PretrainingBatch random_pretraining_batch(
    const BertConfig& config, std::span<const std::int64_t> lengths, std::uint64_t seed = 0);

}  // namespace cloze
