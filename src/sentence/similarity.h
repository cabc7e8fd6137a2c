/// \file
/// Similarity of texts: the cosine of their vectors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cloze/tensor.h"

namespace cloze {

/// The cosine of the angle between two vectors of one size; 0 when one of them has no length.
[[nodiscard]] double cosine(std::span<const float> a, std::span<const float> b);

/// The cosine of each row of `vectors` [rows, columns] with `query` [columns].
[[nodiscard]] std::vector<double> cosines(const Tensor& vectors, std::span<const float> query);

/// The cosines of rows 0 and 1, 2 and 3, ...
[[nodiscard]] std::vector<double> pair_cosines(const Tensor& vectors);

/// Indices of the `count` best scores, best first, equal ones in order.
[[nodiscard]] std::vector<std::size_t> ranking(std::span<const double> scores, std::size_t count);

}  // namespace cloze
