/// \file
/// Figures as a table for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "metrics/classification.h"

namespace cloze {

/// Lines up cells: the first column to the left, the others to the right.
class ReportTable {
 public:
  explicit ReportTable(std::vector<std::string> header) { add(std::move(header)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line a row, each with its end.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// label, precision, recall, f1, support.
[[nodiscard]] std::vector<std::string> figures_row(std::string label,
                                                   const PrecisionRecallF1& figures);

/// The confusion as a table: a row a true label, a column a predicted one. Empty for more labels
/// than a terminal has room for.
[[nodiscard]] std::string confusion_table(const ConfusionMatrix& confusion,
                                          const std::vector<std::string>& labels);

}  // namespace cloze
