/// \file
/// What a lower precision costs on a user's own texts: how far their vectors move.
///
///     const auto reference = load(Precision::f32).encode(texts);
///     const auto cost = cloze::quantization_cost(reference, load(Precision::int8).encode(texts));
///     fmt::print("mean cosine {:.5f}, worst text {}\n", cost.mean_cosine,
///     texts[cost.worst_index]);
#pragma once

#include <cstddef>
#include <cstdint>

#include "cloze/tensor.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How two sets of vectors of the same texts differ.
struct QuantizationCost {
  std::int64_t texts = 0;
  double mean_cosine = 0;       ///< of each text's two vectors
  double percentile_1 = 0;      ///< one text in a hundred lies below
  double worst_cosine = 0;      ///< of all texts
  std::size_t worst_index = 0;  ///< that text
  /// Share of the texts whose nearest other text is the same by both; 1 where there is but one.
  double same_neighbour = 0;
};

/// Compares `vectors` with `reference`, both f32 [texts, columns] of the same texts.
/// Throws ArgumentError when the shapes differ or there are no texts. Takes texts² · columns
/// multiply-adds.
[[nodiscard]] QuantizationCost quantization_cost(const Tensor& reference, const Tensor& vectors);

}  // namespace cloze

#pragma GCC visibility pop
