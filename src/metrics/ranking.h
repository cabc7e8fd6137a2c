/// \file
/// Metrics of rankings: mean reciprocal rank, mean average precision, recall at k.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cloze {

struct RankedCandidate {
  std::size_t query = 0;  ///< candidates of one query need not be neighbours
  double score = 0;
  bool relevant = false;
};

struct RankingScores {
  double mrr = 0;  ///< mean of 1 / (rank of the first relevant candidate)
  double map = 0;  ///< mean over queries of the mean precision at each relevant candidate
  std::vector<double> recall;  ///< at each k: the share of relevant candidates among the first k
  std::int64_t queries = 0;    ///< with a relevant candidate: what the means are over
  std::int64_t without = 0;    ///< queries without one, which do not count
};

/// Of equal scores the irrelevant come first, so that a model that cannot tell gains nothing.
[[nodiscard]] RankingScores ranking_scores(std::span<const RankedCandidate> candidates,
                                           std::span<const std::size_t> ks);

}  // namespace cloze
