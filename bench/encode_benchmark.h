/// \file
/// How fast the encoder is here, and what share of the machine's matrix rate that is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/bert.h"
#include "datasets/batching.h"

namespace cloze {

struct EncodeBenchmarkOptions {
  std::int64_t batch_tokens = 8192;
  int warmup = 2;
  int iterations = 0;    ///< 0: as many as fit in three seconds, at least five
  bool profile = false;  ///< one pass more, with the cost of each kind of operation
};

struct EncodeBenchmark {
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
  std::int64_t longest = 0;
  std::int64_t batches = 0;      ///< batches that one pass over the sequences takes
  std::vector<double> ms;        ///< time of each pass, ascending
  double flops = 0;              ///< of the matrix products of one pass
  double gemm_gflops = 0;        ///< oneDNN alone, same shapes, dtype and threads
  std::int64_t peak_memory = 0;  ///< bytes resident at most so far (VmHWM), before the GEMM
  int threads = 0;
  Profile profile;              ///< of one pass, where asked for
  double profiled_seconds = 0;  ///< that pass took

  [[nodiscard]] double percentile(double share) const;  ///< of `ms`; 0.5 is the median
  [[nodiscard]] double tokens_per_s() const;            ///< at the median
  [[nodiscard]] double gflops() const;                  ///< at the median
  [[nodiscard]] double fraction_of_gemm() const { return gflops() / gemm_gflops; }
};

/// Times passes over `texts`. oneDNN's rate is taken between and after them, so that a drift of
/// the machine's speed touches both alike.
[[nodiscard]] EncodeBenchmark benchmark_encode(const BertModel& model,
                                               std::span<const TokenizedText> texts,
                                               const EncodeBenchmarkOptions& options);

/// Operations (a multiply and an add count two) of the encoder's matrix products over sequences of
/// these lengths: per layer, QKV and output projections 8·n·h², feed-forward 4·n·h·i, and
/// attention's two products 4·l²·h a sequence.
[[nodiscard]] double encoder_flops(const BertConfig& config, std::span<const std::int64_t> lengths);

/// Texts of the given lengths with ids drawn from the vocabulary, the same for the same seed.
[[nodiscard]] std::vector<TokenizedText> random_texts(const BertConfig& config,
                                                      std::span<const std::int64_t> lengths,
                                                      std::uint64_t seed = 0);

/// The most memory that this process has had resident, in bytes; 0 where the system does not say.
[[nodiscard]] std::int64_t peak_resident_memory();

}  // namespace cloze
