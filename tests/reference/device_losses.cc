// Losses of the reference device and their gradients. All cross entropies are one: rows of logits
// whose targets are shares of the classes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "reference/device.h"
#include "reference/device_operation.h"

namespace cloze::reference {
namespace {

/// log softmax.
std::vector<double> log_softmax(std::span<const double> x) {
  const double most = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - most);
  std::vector<double> result;
  for (const double value : x) result.push_back(value - most - std::log(sum));
  return result;
}

/// -Σ shares[c]·log p[c], with p = softmax(x).
double cross_entropy_of(std::span<const double> x, std::span<const double> shares) {
  const auto log_p = log_softmax(x);
  double sum = 0;
  for (std::size_t c = 0; c < x.size(); ++c) sum -= shares[c] * log_p[c];
  return sum;
}

/// Its gradient by x: p[c]·Σ shares - shares[c].
std::vector<double> gradient_of(std::span<const double> x, std::span<const double> shares) {
  const auto log_p = log_softmax(x);
  double total = 0;
  for (const double share : shares) total += share;
  std::vector<double> result;
  for (std::size_t c = 0; c < x.size(); ++c) {
    result.push_back(std::exp(log_p[c]) * total - shares[c]);
  }
  return result;
}

bool is_greatest(std::span<const double> x, std::size_t index) {
  return x[index] >= *std::max_element(x.begin(), x.end());
}

void require_fit(const Operation& operation, const ops::ConstMatrix& logits,
                 const ops::LossGradient& gradient) {
  const auto& d_logits = gradient.d_logits;
  operation.require(logits.dtype == DType::f32, "logits are to be f32");
  operation.require(
      d_logits.data == nullptr || (d_logits.rows == logits.rows && d_logits.cols == logits.cols),
      "the gradient does not fit the logits");
}

/// Σ loss(x, t) over all elements, with the derivative of a loss by x.
ops::Pending<ops::LossSum> over_elements(const Operation& operation, const ops::ConstMatrix& logits,
                                         std::span<const float> targets,
                                         const ops::LossGradient& gradient,
                                         double (*loss)(double, double),
                                         double (*derivative)(double, double)) {
  require_fit(operation, logits, gradient);
  auto x = operation.read(logits, "the logits");
  const auto t = operation.host(targets, "the targets");
  const auto count = x.values.size();
  operation.require(t.size() == count, "the targets do not fit the logits");
  ops::LossSum sum{.weight = static_cast<double>(count),
                   .labelled = static_cast<std::int64_t>(count)};
  for (std::size_t i = 0; i < count; ++i) {
    const auto target = static_cast<double>(t[i]);
    sum.sum += loss(x.values[i], target);
    x.values[i] = gradient.scale * derivative(x.values[i], target);
  }
  if (gradient.d_logits.data != nullptr) operation.write(x, gradient.d_logits, "the gradient");
  return operation.pending(sum);
}

}  // namespace

ops::Pending<ops::LossSum> Device::cross_entropy(ops::Context&, ops::ConstMatrix logits,
                                                 std::span<const std::int32_t> labels,
                                                 const ops::LossGradient& gradient) const {
  const Operation operation(*this, "cross_entropy");
  require_fit(operation, logits, gradient);
  const auto x = operation.read(logits, "the logits");
  operation.require(operation.host(labels, "the labels").size() == x.rows,
                    "the labels do not fit the rows");
  ops::LossSum sum{.weight = static_cast<double>(x.rows), .labelled = logits.rows};
  Matrix d_x(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    const auto label = static_cast<std::size_t>(labels[r]);
    operation.require(labels[r] >= 0 && label < x.cols, "a label is outside of the classes");
    std::vector<double> shares(x.cols);
    shares[label] = 1;
    sum.sum += cross_entropy_of(row_of(x, r), shares);
    sum.correct += is_greatest(row_of(x, r), label) ? 1 : 0;
    const auto slopes = gradient_of(row_of(x, r), shares);
    for (std::size_t c = 0; c < x.cols; ++c) d_x(r, c) = gradient.scale * slopes[c];
  }
  if (gradient.d_logits.data != nullptr) operation.write(d_x, gradient.d_logits, "the gradient");
  return operation.pending(sum);
}

ops::Pending<ops::LossSum> Device::class_cross_entropy(ops::Context&, ops::ConstMatrix logits,
                                                       std::span<const std::int32_t> labels,
                                                       const ops::ClassLoss& options,
                                                       const ops::LossGradient& gradient) const {
  const Operation operation(*this, "class_cross_entropy");
  require_fit(operation, logits, gradient);
  const auto x = operation.read(logits, "the logits");
  operation.require(operation.host(labels, "the labels").size() == x.rows,
                    "the labels do not fit the rows");
  const auto given = operation.host(options.class_weights, "the classes' weights");
  operation.require(given.empty() || given.size() == x.cols, "the classes' weights do not fit");
  std::vector<double> weights(x.cols, 1);
  std::copy(given.begin(), given.end(), weights.begin());
  ops::LossSum sum;
  Matrix d_x(x.rows, x.cols);
  for (std::size_t r = 0; r < x.rows; ++r) {
    if (labels[r] == options.ignored) continue;
    const auto label = static_cast<std::size_t>(labels[r]);
    operation.require(labels[r] >= 0 && label < x.cols, "a label is outside of the classes");
    std::vector<double> shares(x.cols);
    for (std::size_t c = 0; c < x.cols; ++c) {
      shares[c] = options.smoothing / static_cast<double>(x.cols) * weights[c];
    }
    shares[label] += (1 - options.smoothing) * weights[label];
    sum.sum += cross_entropy_of(row_of(x, r), shares);
    sum.weight += weights[label];
    ++sum.labelled;
    sum.correct += is_greatest(row_of(x, r), label) ? 1 : 0;
    const auto slopes = gradient_of(row_of(x, r), shares);
    for (std::size_t c = 0; c < x.cols; ++c) d_x(r, c) = gradient.scale * slopes[c];
  }
  if (gradient.d_logits.data != nullptr) operation.write(d_x, gradient.d_logits, "the gradient");
  return operation.pending(sum);
}

ops::Pending<ops::LossSum> Device::segment_cross_entropy(ops::Context&, ops::ConstMatrix logits,
                                                         const ops::SegmentLoss& segments,
                                                         const ops::LossGradient& gradient) const {
  const Operation operation(*this, "segment_cross_entropy");
  require_fit(operation, logits, gradient);
  const auto ends = operation.host(segments.cu_segments, "cu_segments");
  const auto labels = operation.host(segments.labels, "the labels");
  operation.require(!ends.empty() && labels.size() + 1 == ends.size() &&
                        ends.back() == logits.rows && segments.column >= 0 &&
                        segments.column < logits.cols,
                    "the segments do not fit the logits");
  const auto column = logits.cols_from(segments.column, 1);
  const auto x = operation.read(column, "the logits");
  Matrix d_x(x.rows, 1);
  ops::LossSum sum;
  for (std::size_t s = 0; s < labels.size(); ++s) {
    const auto begin = static_cast<std::size_t>(ends[s]);
    const auto length = static_cast<std::size_t>(ends[s + 1]) - begin;
    const auto label = static_cast<std::size_t>(labels[s]);
    operation.require(labels[s] >= 0 && label < length, "a label is outside of its segment");
    const auto segment = std::span(x.values).subspan(begin, length);
    std::vector<double> shares(length, segments.smoothing / static_cast<double>(length));
    shares[label] += 1 - segments.smoothing;
    sum.sum += cross_entropy_of(segment, shares);
    sum.weight += 1;
    ++sum.labelled;
    sum.correct += is_greatest(segment, label) ? 1 : 0;
    const auto slopes = gradient_of(segment, shares);
    for (std::size_t i = 0; i < length; ++i) d_x(begin + i, 0) = gradient.scale * slopes[i];
  }
  // The other columns' gradients are not this loss's to write.
  if (gradient.d_logits.data != nullptr) {
    operation.write(d_x, gradient.d_logits.cols_from(segments.column, 1), "the gradient");
  }
  return operation.pending(sum);
}

ops::Pending<ops::LossSum> Device::binary_cross_entropy(ops::Context&, ops::ConstMatrix logits,
                                                        std::span<const float> targets,
                                                        const ops::LossGradient& gradient) const {
  const Operation operation(*this, "binary_cross_entropy");
  return over_elements(
      operation, logits, targets, gradient,
      [](double x, double t) {
        return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0) - x * t;
      },
      [](double x, double t) { return 1 / (1 + std::exp(-x)) - t; });
}

ops::Pending<ops::LossSum> Device::squared_error(ops::Context&, ops::ConstMatrix logits,
                                                 std::span<const float> targets,
                                                 const ops::LossGradient& gradient) const {
  const Operation operation(*this, "squared_error");
  return over_elements(
      operation, logits, targets, gradient, [](double x, double t) { return (x - t) * (x - t); },
      [](double x, double t) { return 2 * (x - t); });
}

}  // namespace cloze::reference
