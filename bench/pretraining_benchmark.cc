#include "bench/pretraining_benchmark.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "bench/encode_benchmark.h"
#include "core/clock.h"

namespace cloze {
void PretrainingStatistics::add(const internal::PretrainingBatch& batch, std::int32_t mask_id) {
  ++batches;
  sequences += batch.inputs.sequences();
  tokens += batch.inputs.total_tokens();
  masked += batch.masked();
  std::size_t sequence = 0;
  std::int64_t predicted = 0;
  for (std::size_t i = 0; i < batch.masked_positions.size(); ++i) {
    const auto position = batch.masked_positions[i];
    const auto shown = batch.inputs.input_ids[static_cast<std::size_t>(position)];
    ++(shown == mask_id ? shown_mask : shown == batch.masked_labels[i] ? shown_same : shown_other);
    while (position >= batch.inputs.cu_seqlens[sequence + 1]) ++sequence, predicted = 0;
    most_predicted = std::max(most_predicted, ++predicted);
  }
  pairs += static_cast<std::int64_t>(batch.next_sentence_labels.size());
  random_next +=
      std::count(batch.next_sentence_labels.begin(), batch.next_sentence_labels.end(), 1);
}

PretrainingDataBenchmark benchmark_pretraining_data(std::span<const std::filesystem::path> paths,
                                                    const CorpusOptions& corpus_options,
                                                    const Tokenizer& tokenizer,
                                                    PretrainingDataOptions options) {
  PretrainingDataBenchmark result;
  auto start = Clock::now();
  const auto corpus = Corpus::open(paths, corpus_options);
  result.open_seconds = seconds_since(start);
  result.text_bytes = corpus->bytes();
  result.documents = corpus->documents();
  result.index_bytes = corpus->index_bytes();
  result.lines = corpus->lines();

  options.epochs = std::max<std::int64_t>(options.epochs, 1);
  PretrainingData data(corpus, tokenizer, options);
  start = Clock::now();
  internal::PretrainingBatch batch;
  while (data.next(batch)) result.statistics.add(batch, *tokenizer.mask_token_id());
  result.seconds = seconds_since(start);
  result.cost = data.cost();
  result.peak_memory = peak_resident_memory();
  return result;
}

}  // namespace cloze
