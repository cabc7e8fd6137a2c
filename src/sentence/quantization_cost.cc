#include <algorithm>
#include <atomic>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/quantization.h"
#include "cloze/similarity.h"
#include "core/parallel.h"
#include "core/vectors.h"

namespace cloze {
namespace {

/// The text whose vector is most like that of `text`, itself apart.
std::size_t nearest(const Tensor& vectors, std::int64_t text) {
  auto scores = cosines(vectors, row_of(vectors, text));
  scores[static_cast<std::size_t>(text)] = -2;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace

QuantizationCost quantization_cost(const Tensor& reference, const Tensor& vectors) {
  if (reference.shape() != vectors.shape() || reference.shape().size() != 2 || reference.empty()) {
    throw ArgumentError(fmt::format("vectors of shapes {} and {} cannot be compared",
                                    to_string(reference.shape()), to_string(vectors.shape())));
  }
  QuantizationCost cost;
  cost.texts = reference.dim(0);
  const auto texts = static_cast<std::size_t>(cost.texts);
  std::vector<double> likeness(texts);
  std::atomic<std::int64_t> same = 0;
  parallel_for(cost.texts, 16, [&](std::int64_t text) {
    likeness[static_cast<std::size_t>(text)] =
        cosine(row_of(reference, text), row_of(vectors, text));
    if (texts == 1 || nearest(reference, text) == nearest(vectors, text)) ++same;
  });
  cost.same_neighbour = static_cast<double>(same) / static_cast<double>(texts);
  const auto worst = std::min_element(likeness.begin(), likeness.end());
  cost.worst_cosine = *worst;
  cost.worst_index = static_cast<std::size_t>(worst - likeness.begin());
  for (const double value : likeness) cost.mean_cosine += value / static_cast<double>(texts);
  const auto at = static_cast<std::ptrdiff_t>(texts / 100);
  std::nth_element(likeness.begin(), likeness.begin() + at, likeness.end());
  cost.percentile_1 = likeness[static_cast<std::size_t>(at)];
  return cost;
}

}  // namespace cloze
