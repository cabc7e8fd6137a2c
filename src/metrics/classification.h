/// \file
/// Metrics of labels, as scikit-learn computes them: confusion, accuracy, precision, recall, F1 and
/// Matthews' correlation. Where a quotient has the denominator 0 it is 0 (`zero_division=0`).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cloze {

struct PrecisionRecallF1 {
  double precision = 0;      ///< tp / (tp + fp)
  double recall = 0;         ///< tp / (tp + fn)
  double f1 = 0;             ///< 2 tp / (2 tp + fp + fn)
  std::int64_t support = 0;  ///< tp + fn
  friend bool operator==(const PrecisionRecallF1&, const PrecisionRecallF1&) = default;
};

/// From counts: `hits` true positives, of `predicted` and of `actual` ones.
[[nodiscard]] PrecisionRecallF1 precision_recall_f1(std::int64_t hits, std::int64_t predicted,
                                                    std::int64_t actual);

/// How often label `truth` was predicted as `prediction`.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::size_t labels) : labels_(labels), counts_(labels * labels) {}

  void add(std::size_t truth, std::size_t prediction) { ++counts_[truth * labels_ + prediction]; }

  [[nodiscard]] std::size_t labels() const { return labels_; }
  [[nodiscard]] std::int64_t count(std::size_t truth, std::size_t prediction) const {
    return counts_[truth * labels_ + prediction];
  }
  [[nodiscard]] std::int64_t total() const;
  [[nodiscard]] std::int64_t actual(std::size_t label) const;     ///< examples of this label
  [[nodiscard]] std::int64_t predicted(std::size_t label) const;  ///< predictions of this label

  [[nodiscard]] double accuracy() const;
  [[nodiscard]] PrecisionRecallF1 of(std::size_t label) const;
  /// Matthews' correlation coefficient for any number of labels (Gorodkin's R_K, 2004).
  [[nodiscard]] double matthews() const;

 private:
  std::size_t labels_;
  std::vector<std::int64_t> counts_;  // [truth, prediction]
};

/// Averages over labels. Only labels that occur, as truth or as prediction, take part (as in
/// scikit-learn when it is not told of others).
struct AveragedF1 {
  PrecisionRecallF1 macro;     ///< every label counts as much
  PrecisionRecallF1 weighted;  ///< a label counts as much as it has examples
  PrecisionRecallF1 micro;     ///< from the sums of counts
};
[[nodiscard]] AveragedF1 averages(const ConfusionMatrix& confusion);

/// Counts of each label where an example has several: hits, predicted, actual.
struct LabelCounts {
  std::int64_t hits = 0, predicted = 0, actual = 0;
  friend bool operator==(const LabelCounts&, const LabelCounts&) = default;
};

/// Averages over all labels of an indicator matrix, absent ones included, as scikit-learn has them.
[[nodiscard]] AveragedF1 averages(std::span<const LabelCounts> counts);

}  // namespace cloze
