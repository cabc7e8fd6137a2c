#include "metrics/correlation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "cloze/error.h"

namespace cloze {
namespace {

void require_same_size(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size())
    throw ArgumentError("values to correlate must be as many on both sides");
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool is_constant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

/// 1 for the smallest; equal values share the mean of their places.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + end + 1) / 2.0;
    for (; begin < end; ++begin) result[order[begin]] = rank;
  }
  return result;
}

}  // namespace

double pearson(std::span<const double> x, std::span<const double> y) {
  require_same_size(x, y);
  if (x.size() < 2 || is_constant(x) || is_constant(y)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double mean_x = mean(x), mean_y = mean(y);
  double products = 0, x_squares = 0, y_squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    products += dx * dy;
    x_squares += dx * dx;
    y_squares += dy * dy;
  }
  const double r = products / (std::sqrt(x_squares) * std::sqrt(y_squares));
  return std::clamp(r, -1.0, 1.0);
}

double spearman(std::span<const double> x, std::span<const double> y) {
  require_same_size(x, y);
  const auto has_nan = [](std::span<const double> values) {
    return std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
  };
  if (has_nan(x) || has_nan(y)) return std::numeric_limits<double>::quiet_NaN();
  return pearson(ranks(x), ranks(y));
}

double mean_squared_error(std::span<const double> x, std::span<const double> y) {
  require_same_size(x, y);
  if (x.empty()) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum / static_cast<double>(x.size());
}

}  // namespace cloze
