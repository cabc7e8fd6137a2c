#include "metrics/classification.h"

#include <cmath>
#include <numeric>

namespace cloze {
namespace {

double quotient(std::int64_t numerator, std::int64_t denominator) {
  return denominator == 0 ? 0.0 : static_cast<double>(numerator) / static_cast<double>(denominator);
}

}  // namespace

PrecisionRecallF1 precision_recall_f1(std::int64_t hits, std::int64_t predicted,
                                      std::int64_t actual) {
  return {.precision = quotient(hits, predicted),
          .recall = quotient(hits, actual),
          .f1 = quotient(2 * hits, predicted + actual),
          .support = actual};
}

std::int64_t ConfusionMatrix::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

std::int64_t ConfusionMatrix::actual(std::size_t label) const {
  std::int64_t sum = 0;
  for (std::size_t other = 0; other < labels_; ++other) sum += count(label, other);
  return sum;
}

std::int64_t ConfusionMatrix::predicted(std::size_t label) const {
  std::int64_t sum = 0;
  for (std::size_t other = 0; other < labels_; ++other) sum += count(other, label);
  return sum;
}

double ConfusionMatrix::accuracy() const {
  std::int64_t correct = 0;
  for (std::size_t label = 0; label < labels_; ++label) correct += count(label, label);
  return quotient(correct, total());
}

PrecisionRecallF1 ConfusionMatrix::of(std::size_t label) const {
  return precision_recall_f1(count(label, label), predicted(label), actual(label));
}

double ConfusionMatrix::matthews() const {
  double correct = 0, products = 0, predicted_squares = 0, actual_squares = 0;
  for (std::size_t label = 0; label < labels_; ++label) {
    const auto p = static_cast<double>(predicted(label));
    const auto t = static_cast<double>(actual(label));
    correct += static_cast<double>(count(label, label));
    products += p * t;
    predicted_squares += p * p;
    actual_squares += t * t;
  }
  const auto samples = static_cast<double>(total());
  const double predicted_variance = samples * samples - predicted_squares;
  const double actual_variance = samples * samples - actual_squares;
  if (predicted_variance * actual_variance == 0) return 0;
  return (correct * samples - products) / std::sqrt(predicted_variance * actual_variance);
}

AveragedF1 averages(std::span<const LabelCounts> counts) {
  AveragedF1 result;
  LabelCounts sum;
  for (const auto& label : counts) {
    const auto one = precision_recall_f1(label.hits, label.predicted, label.actual);
    const auto add = [&](PrecisionRecallF1& to, double weight) {
      to.precision += weight * one.precision;
      to.recall += weight * one.recall;
      to.f1 += weight * one.f1;
    };
    add(result.macro, 1.0 / static_cast<double>(counts.size()));
    add(result.weighted, static_cast<double>(label.actual));
    sum.hits += label.hits;
    sum.predicted += label.predicted;
    sum.actual += label.actual;
  }
  result.micro = precision_recall_f1(sum.hits, sum.predicted, sum.actual);
  result.macro.support = result.weighted.support = sum.actual;
  const double all = sum.actual > 0 ? static_cast<double>(sum.actual) : 1.0;
  result.weighted.precision /= all;
  result.weighted.recall /= all;
  result.weighted.f1 /= all;
  return result;
}

AveragedF1 averages(const ConfusionMatrix& confusion) {
  std::vector<LabelCounts> counts;
  for (std::size_t label = 0; label < confusion.labels(); ++label) {
    const LabelCounts one{.hits = confusion.count(label, label),
                          .predicted = confusion.predicted(label),
                          .actual = confusion.actual(label)};
    if (one.predicted + one.actual > 0) counts.push_back(one);
  }
  return averages(counts);
}

}  // namespace cloze
