/// \file
/// Correlations and errors of values, as SciPy computes them.
#pragma once

#include <span>

namespace cloze {

/// Pearson's r. NaN where it is not defined: fewer than two values, or one side constant. Throws
/// ArgumentError for sides of different sizes.
[[nodiscard]] double pearson(std::span<const double> x, std::span<const double> y);

/// Spearman's ρ: Pearson's r of the ranks, equal values sharing their mean rank.
[[nodiscard]] double spearman(std::span<const double> x, std::span<const double> y);

/// Mean of (x - y)²; 0 for no values.
[[nodiscard]] double mean_squared_error(std::span<const double> x, std::span<const double> y);

}  // namespace cloze
