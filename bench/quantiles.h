/// \file
/// What benchmarks say of their times.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace cloze {

/// The value below which the share `share` of `ascending` lies, between neighbours by their
/// distance to it; 0 of none.
[[nodiscard]] inline double percentile(std::span<const double> ascending, double share) {
  if (ascending.empty()) return 0;
  const double at = share * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, ascending.size() - 1);
  return ascending[below] +
         (at - static_cast<double>(below)) * (ascending[above] - ascending[below]);
}

/// The value in the middle, the upper one of two; 0 of none.
[[nodiscard]] inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace cloze
