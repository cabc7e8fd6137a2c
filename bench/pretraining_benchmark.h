/// \file
/// How fast pre-training data is prepared, and what it is made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "bert/training/pretraining.h"
#include "cloze/tokenizer.h"
#include "corpus/corpus.h"
#include "corpus/pretraining_data.h"

namespace cloze {

/// Counted from delivered batches alone.
struct PretrainingStatistics {
  std::int64_t batches = 0;
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;          ///< special ones included
  std::int64_t masked = 0;          ///< tokens to be predicted
  std::int64_t shown_mask = 0;      ///< of these, replaced by [MASK],
  std::int64_t shown_other = 0;     ///< by another token,
  std::int64_t shown_same = 0;      ///< by nothing
  std::int64_t pairs = 0;           ///< sequences with a next-sentence label
  std::int64_t random_next = 0;     ///< of these, whose second segment is a random one
  std::int64_t most_predicted = 0;  ///< in one sequence

  void add(const internal::PretrainingBatch& batch, std::int32_t mask_id);
};

struct PretrainingDataBenchmark {
  PretrainingStatistics statistics;
  PreparationCost cost;
  double open_seconds = 0;  ///< of indexing the text
  double seconds = 0;       ///< from the first batch asked for to the last one got
  std::int64_t text_bytes = 0, documents = 0, index_bytes = 0;
  std::int64_t peak_memory = 0;  ///< bytes resident at most so far
  LineKind lines = LineKind::automatic;

  /// Bytes of text that a core prepares in a second, in 10^6.
  [[nodiscard]] double mb_per_s_core() const {
    return static_cast<double>(cost.text_bytes) / cost.cpu_seconds / 1e6;
  }
};

/// Takes all batches of `options.epochs` epochs (one if 0) and throws them away.
[[nodiscard]] PretrainingDataBenchmark benchmark_pretraining_data(
    std::span<const std::filesystem::path> paths, const CorpusOptions& corpus_options,
    const Tokenizer& tokenizer, PretrainingDataOptions options);

}  // namespace cloze
