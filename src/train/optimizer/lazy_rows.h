/// \file
/// AdamW on a table of which a step's batch reads few rows: word embeddings in fine-tuning. A row
/// that no batch reads has a gradient of zero, and what the step makes of it waits until somebody
/// looks at the row. Then it takes all the steps that it owes at once, in cache, to the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/optimizer.h"

namespace cloze {

class LazyRows {
 public:
  /// The table's arrays, [rows, cols] each; gradients are zero. The context must outlive it.
  LazyRows(ops::Context& context, const ops::OptimizedArrays& arrays, std::int64_t cols);

  /// Brings rows up to date that a pass is about to read, in any order, more than once if need be.
  /// Until the next step their gradients may be other than zero. Throws ArgumentError for a row
  /// that is not there.
  void read(std::span<const std::int32_t> rows);

  /// Brings all rows up to date.
  void catch_up();

  /// The gradients' sum of squares.
  [[nodiscard]] ops::Pending<double> sum_of_squares() const;

  /// One step: the rows that were read take it, the others owe it.
  void step(const ops::AdamSettings& settings, float scale);

  /// Values and moments have been replaced by ones that are up to date.
  void restored();

 private:
  void apply_pending_steps(std::span<const std::int32_t> rows);

  ops::Context& context_;
  ops::OptimizedArrays arrays_;
  std::int64_t cols_;
  std::vector<ops::AdamSettings> steps_;  ///< that some row may owe
  std::vector<std::int64_t> taken_;       ///< of each row, how many of them it has taken
  std::vector<bool> moved_;               ///< whether a row's moments may be other than zero
  std::vector<bool> reading_;             ///< the same as the next, by row
  std::vector<std::int32_t> read_;        ///< since the last step
};

}  // namespace cloze
