/// \file
/// How fast a pre-training step is here, and what share of the machine's matrix rate that is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bert/training/pretraining.h"
#include "cloze/profile.h"

namespace cloze {

struct TrainBenchmarkOptions {
  DType compute = DType::f32;
  bool dropout = true;
  bool recompute = false;
  int warmup = 2;
  int iterations = 0;    ///< 0: as many as fit in five seconds, at least five
  bool profile = false;  ///< one step more, with the cost of each kind of operation
};

struct TrainBenchmark {
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
  std::int64_t masked = 0;
  std::int64_t longest = 0;
  std::int64_t parameters = 0;
  std::vector<double> ms;        ///< time of each step, ascending
  double optimizer_ms = 0;       ///< of which clipping and AdamW, median
  double flops = 0;              ///< of the matrix products of one step
  double gemm_gflops = 0;        ///< oneDNN alone, same shapes, dtype and threads
  double loss = 0;               ///< after the last step
  std::int64_t peak_memory = 0;  ///< bytes resident at most so far (VmHWM), before the GEMM
  std::size_t activation_bytes = 0;
  int threads = 0;
  Profile profile;              ///< of one forward and backward, where asked for
  double profiled_seconds = 0;  ///< those took

  [[nodiscard]] double percentile(double share) const;  ///< of `ms`; 0.5 is the median
  [[nodiscard]] double tokens_per_s() const;            ///< at the median
  [[nodiscard]] double gflops() const;                  ///< at the median
  [[nodiscard]] double fraction_of_gemm() const { return gflops() / gemm_gflops; }
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
