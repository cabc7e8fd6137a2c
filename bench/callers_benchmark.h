/// \file
/// What many threads that call one model at once get done, beside what one does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/bert.h"
#include "datasets/batching.h"

namespace cloze {

struct CallersBenchmark {
  int callers = 0;
  std::int64_t passes = 0;            ///< over the texts, in a round, by all callers together
  std::vector<double> one, together;  ///< tokens a second of each round, in the order of the rounds

  [[nodiscard]] double one_tokens_per_s() const;       ///< median
  [[nodiscard]] double together_tokens_per_s() const;  ///< median
  /// Median over the rounds of what the callers reach together over what one reaches.
  [[nodiscard]] double ratio() const;
};

/// Rounds in which one thread and then `callers` threads make the same number of passes over
/// `texts`, `passes` of them or, for 0, two a caller: a drift of the machine's speed touches both
/// alike.
[[nodiscard]] CallersBenchmark benchmark_callers(const BertModel& model,
                                                 std::span<const TokenizedText> texts,
                                                 std::int64_t batch_tokens, int callers,
                                                 std::int64_t passes);

}  // namespace cloze
