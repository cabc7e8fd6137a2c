/// \file
/// How fast the encoder is here, and what share of the machine's matrix rate that is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/timed_benchmark.h"
#include "cloze/bert.h"
#include "datasets/batching.h"

namespace cloze {

struct EncodeBenchmarkOptions {
  std::int64_t batch_tokens = 8192;
  PassOptions passes{};  ///< three seconds of them, where it does not say how many
};

struct EncodeBenchmark : TimedPasses {
  std::int64_t batches = 0;  ///< batches that one pass over the sequences takes
};

/// Times passes over `texts`.
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

}  // namespace cloze
