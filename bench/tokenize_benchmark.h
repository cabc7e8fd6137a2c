/// \file
/// How fast a tokenizer is on a file, beside what copying the file's bytes takes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"

namespace cloze {

struct TokenizeBenchmarkOptions {
  int iterations = 0;  ///< of each kind; 0: as many as fit in a second, at least five
};

/// Times of one kind of work, ascending, in milliseconds a pass over all texts.
struct TokenizeTimes {
  std::vector<double> ms;
  [[nodiscard]] double median() const { return ms[ms.size() / 2]; }
};

struct TokenizeBenchmark {
  std::int64_t texts = 0;
  std::int64_t bytes = 0;   ///< of all texts
  std::int64_t tokens = 0;  ///< special ones included
  int threads = 0;
  TokenizeTimes ids;        ///< packed ids in memory used before, one thread
  TokenizeTimes offsets;    ///< packed ids, offsets and word ids, one thread
  TokenizeTimes encodings;  ///< an Encoding a text, one thread
  TokenizeTimes one_core;   ///< a new batch of packed ids (Tokenizer::pack), one thread
  TokenizeTimes all_cores;  ///< the same, `threads` threads
  /// Every one of the `threads` threads makes the ids of all texts for itself: `threads` times the
  /// work, and what the cores give at most when nothing is shared.
  TokenizeTimes apart;
  TokenizeTimes copy;  ///< the texts' bytes copied by one thread: the memory's own rate

  [[nodiscard]] double mb_per_s(const TokenizeTimes& times) const {
    return static_cast<double>(bytes) / times.median() / 1e3;
  }
  [[nodiscard]] double tokens_per_s(const TokenizeTimes& times) const {
    return static_cast<double>(tokens) / times.median() * 1e3;
  }
};

/// The kinds take turns, so that a drift of the machine's speed touches them alike.
[[nodiscard]] TokenizeBenchmark benchmark_tokenize(const Tokenizer& tokenizer,
                                                   std::span<const std::string_view> texts,
                                                   const TokenizeBenchmarkOptions& options);

}  // namespace cloze
