#include "metrics/ranking.h"

#include <algorithm>
#include <map>

namespace cloze {

RankingScores ranking_scores(std::span<const RankedCandidate> candidates,
                             std::span<const std::size_t> ks) {
  std::map<std::size_t, std::vector<RankedCandidate>> queries;
  for (const auto& candidate : candidates) queries[candidate.query].push_back(candidate);
  RankingScores scores;
  scores.recall.resize(ks.size());
  for (auto& [query, ranked] : queries) {
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const RankedCandidate& a, const RankedCandidate& b) {
                       return a.score != b.score ? a.score > b.score : a.relevant < b.relevant;
                     });
    std::size_t found = 0;
    double precision = 0;
    std::vector<std::size_t> at_k(ks.size());
    for (std::size_t rank = 1; rank <= ranked.size(); ++rank) {
      if (!ranked[rank - 1].relevant) continue;
      if (found++ == 0) scores.mrr += 1.0 / static_cast<double>(rank);
      precision += static_cast<double>(found) / static_cast<double>(rank);
      for (std::size_t k = 0; k < ks.size(); ++k) at_k[k] += rank <= ks[k] ? 1 : 0;
    }
    if (found == 0) {
      ++scores.without;
      continue;
    }
    ++scores.queries;
    scores.map += precision / static_cast<double>(found);
    for (std::size_t k = 0; k < ks.size(); ++k) {
      scores.recall[k] += static_cast<double>(at_k[k]) / static_cast<double>(found);
    }
  }
  if (scores.queries == 0) return scores;
  const auto count = static_cast<double>(scores.queries);
  scores.mrr /= count;
  scores.map /= count;
  for (auto& recall : scores.recall) recall /= count;
  return scores;
}

}  // namespace cloze
