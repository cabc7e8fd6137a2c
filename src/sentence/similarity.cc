#include "sentence/similarity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cloze/error.h"

namespace cloze {

double cosine(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) throw ArgumentError("vectors of different sizes have no cosine");
  double product = 0.0;
  double a_squares = 0.0;
  double b_squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * b[i];
    a_squares += static_cast<double>(a[i]) * a[i];
    b_squares += static_cast<double>(b[i]) * b[i];
  }
  const double lengths = std::sqrt(a_squares) * std::sqrt(b_squares);
  return lengths > 0.0 ? product / lengths : 0.0;
}

std::vector<double> cosines(const Tensor& vectors, std::span<const float> query) {
  const auto columns = static_cast<std::size_t>(vectors.dim(1));
  const auto values = vectors.values<float>();
  std::vector<double> scores;
  for (std::size_t at = 0; at < values.size(); at += columns) {
    scores.push_back(cosine(values.subspan(at, columns), query));
  }
  return scores;
}

std::vector<double> pair_cosines(const Tensor& vectors) {
  const auto columns = static_cast<std::size_t>(vectors.dim(1));
  const auto values = vectors.values<float>();
  std::vector<double> scores;
  for (std::size_t at = 0; at + columns < values.size(); at += 2 * columns) {
    scores.push_back(cosine(values.subspan(at, columns), values.subspan(at + columns, columns)));
  }
  return scores;
}

std::vector<std::size_t> ranking(std::span<const double> scores, std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                    });
  order.resize(count);
  return order;
}

}  // namespace cloze
