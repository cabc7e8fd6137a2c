// The losses of task heads. Their rows are short (as many logits as there are labels), so these are
// plain loops in double, divided over the threads by blocks of rows.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "cloze/error.h"
#include "ops/cpu/cpu_device.h"
#include "ops/cpu/row_work.h"
#include "ops/loss.h"

namespace cloze::ops {
namespace {

const float* floats(const ConstMatrix& matrix, std::int64_t row) {
  return reinterpret_cast<const float*>(matrix.row(row));
}

float* floats(const Matrix& matrix, std::int64_t row) {
  return reinterpret_cast<float*>(matrix.row(row));
}

void require_f32(const ConstMatrix& logits, const Matrix& d_logits) {
  const bool wanted = d_logits.data != nullptr;
  if (logits.dtype != DType::f32 || (wanted && d_logits.dtype != DType::f32)) {
    throw ArgumentError("the losses of task heads are computed in f32");
  }
  if (wanted && (d_logits.rows != logits.rows || d_logits.cols != logits.cols)) {
    throw ArgumentError(fmt::format("a gradient [{}, {}] of logits [{}, {}]", d_logits.rows,
                                    d_logits.cols, logits.rows, logits.cols));
  }
}

void require_labels(std::span<const std::int32_t> labels, std::int64_t rows) {
  if (static_cast<std::int64_t>(labels.size()) != rows) {
    throw ArgumentError(fmt::format("{} labels of {} rows", labels.size(), rows));
  }
}

/// log Σ exp(x), and whether x[label] is the greatest.
struct Normalizer {
  double log_sum = 0;
  bool correct = false;
};

/// Of the values x[0], x[stride], ...
Normalizer normalizer_of(const float* x, std::int64_t count, std::int64_t stride,
                         std::int32_t label) {
  float most = x[0];
  for (std::int64_t i = 1; i < count; ++i) most = std::max(most, x[i * stride]);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += std::exp(static_cast<double>(x[i * stride]) - static_cast<double>(most));
  }
  return {std::log(sum) + static_cast<double>(most), x[label * stride] >= most};
}

/// Adds up what `body(row)` gives, blocks of rows in a fixed order.
LossSum sum_over_rows(Context& context, std::int64_t rows, std::int64_t cols,
                      FunctionRef<LossSum(std::int64_t)> body) {
  const auto add = [](LossSum& sum, const LossSum& more) {
    sum.sum += more.sum;
    sum.weight += more.weight;
    sum.labelled += more.labelled;
    sum.correct += more.correct;
  };
  std::vector<LossSum> blocks(static_cast<std::size_t>((rows + kSumRows - 1) / kSumRows));
  over_sum_blocks(context, OperationKey::Kind::loss, rows, 8 * static_cast<double>(cols),
                  [&](std::int64_t begin, std::int64_t count, std::int64_t block) {
                    LossSum sum;
                    for (std::int64_t row = begin; row < begin + count; ++row) add(sum, body(row));
                    blocks[static_cast<std::size_t>(block)] = sum;
                  });
  LossSum total;
  for (const auto& block : blocks) add(total, block);
  return total;
}

/// Logits and a target for each.
struct Elements {
  Context& context;
  ConstMatrix logits;
  std::span<const float> targets;
};

/// Sums `loss(x, t)` over all elements; `slope(x, t)` is its derivative by x.
template <class Loss, class Slope>
LossSum over_elements(const Elements& elements, const LossGradient& wanted, const Loss& loss,
                      const Slope& slope) {
  require_f32(elements.logits, wanted.d_logits);
  const std::int64_t rows = elements.logits.rows, cols = elements.logits.cols;
  if (static_cast<std::int64_t>(elements.targets.size()) != rows * cols) {
    throw ArgumentError(
        fmt::format("{} targets of logits [{}, {}]", elements.targets.size(), rows, cols));
  }
  return sum_over_rows(elements.context, rows, cols, [&](std::int64_t row) {
    const float* x = floats(elements.logits, row);
    float* gradient = wanted.d_logits.data == nullptr ? nullptr : floats(wanted.d_logits, row);
    LossSum sum{.weight = static_cast<double>(cols), .labelled = cols};
    for (std::int64_t c = 0; c < cols; ++c) {
      const double value = x[c];
      const double target = elements.targets[static_cast<std::size_t>(row * cols + c)];
      sum.sum += loss(value, target);
      if (gradient != nullptr)
        gradient[c] = static_cast<float>(wanted.scale * slope(value, target));
    }
    return sum;
  });
}

}  // namespace

Pending<LossSum> CpuDevice::class_cross_entropy(Context& context, ConstMatrix logits,
                                                std::span<const std::int32_t> labels,
                                                const ClassLoss& options,
                                                const LossGradient& gradient) const {
  const double scale = gradient.scale;
  const Matrix d_logits = gradient.d_logits;
  require_f32(logits, d_logits);
  require_labels(labels, logits.rows);
  const std::int64_t classes = logits.cols;
  const auto& weights = options.class_weights;
  if (!weights.empty() && static_cast<std::int64_t>(weights.size()) != classes) {
    throw ArgumentError(fmt::format("{} class weights of {} classes", weights.size(), classes));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != options.ignored && (labels[i] < 0 || labels[i] >= classes)) {
      throw ArgumentError(
          fmt::format("label {} of row {} is outside the {} classes", labels[i], i, classes));
    }
  }
  const auto weight_of = [&](std::int64_t c) {
    return weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<std::size_t>(c)]);
  };
  const double spread = options.smoothing / static_cast<double>(classes);
  double all_weights = 0;
  for (std::int64_t c = 0; c < classes; ++c) all_weights += weight_of(c);

  return sum_over_rows(context, logits.rows, classes, [&](std::int64_t row) -> LossSum {
    const auto label = labels[static_cast<std::size_t>(row)];
    float* d_row = d_logits.data == nullptr ? nullptr : floats(d_logits, row);
    if (label == options.ignored) {
      if (d_row != nullptr) std::fill_n(d_row, classes, 0.0F);
      return {};
    }
    const float* x = floats(logits, row);
    const auto normalizer = normalizer_of(x, classes, 1, label);
    const double own = (1 - options.smoothing) * weight_of(label);
    LossSum loss{.sum = own * (normalizer.log_sum - static_cast<double>(x[label])),
                 .weight = weight_of(label),
                 .labelled = 1,
                 .correct = normalizer.correct ? 1 : 0};
    // Every class is wanted with its share, so that the gradient is total·p - share.
    const double total = own + spread * all_weights;
    for (std::int64_t c = 0; c < classes; ++c) {
      const double log_p = static_cast<double>(x[c]) - normalizer.log_sum;
      const double smoothed = spread * weight_of(c);
      loss.sum -= smoothed * log_p;
      if (d_row != nullptr) {
        const double share = smoothed + (c == label ? own : 0);
        d_row[c] = static_cast<float>(scale * (total * std::exp(log_p) - share));
      }
    }
    return loss;
  });
}

Pending<LossSum> CpuDevice::segment_cross_entropy(Context& context, ConstMatrix logits,
                                                  const SegmentLoss& segments,
                                                  const LossGradient& gradient) const {
  const std::int64_t column = segments.column;
  const auto cu_segments = segments.cu_segments, labels = segments.labels;
  const double smoothing = segments.smoothing, scale = gradient.scale;
  const Matrix d_logits = gradient.d_logits;
  require_f32(logits, d_logits);
  const auto count = static_cast<std::int64_t>(cu_segments.size()) - 1;
  require_labels(labels, count);
  if (cu_segments.back() != logits.rows || column < 0 || column >= logits.cols) {
    throw ArgumentError(fmt::format("segments of {} rows, column {}, of logits [{}, {}]",
                                    cu_segments.back(), column, logits.rows, logits.cols));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto length = cu_segments[i + 1] - cu_segments[i];
    if (labels[i] < 0 || labels[i] >= length) {
      throw ArgumentError(
          fmt::format("label {} of segment {} is outside its {} rows", labels[i], i, length));
    }
  }
  return sum_over_rows(context, count, 32, [&](std::int64_t segment) -> LossSum {
    const auto at = static_cast<std::size_t>(segment);
    const std::int64_t begin = cu_segments[at], length = cu_segments[at + 1] - cu_segments[at];
    const auto label = labels[at];
    const float* x = floats(logits, begin) + column;
    const auto normalizer = normalizer_of(x, length, logits.stride, label);
    const double spread = smoothing / static_cast<double>(length);
    LossSum loss{.sum = 0, .weight = 1, .labelled = 1, .correct = normalizer.correct ? 1 : 0};
    for (std::int64_t i = 0; i < length; ++i) {
      const double log_p = static_cast<double>(x[i * logits.stride]) - normalizer.log_sum;
      const double share = spread + (i == label ? 1 - smoothing : 0);
      loss.sum -= share * log_p;
      if (d_logits.data != nullptr) {
        floats(d_logits, begin + i)[column] = static_cast<float>(scale * (std::exp(log_p) - share));
      }
    }
    return loss;
  });
}

Pending<LossSum> CpuDevice::binary_cross_entropy(Context& context, ConstMatrix logits,
                                                 std::span<const float> targets,
                                                 const LossGradient& gradient) const {
  return over_elements(
      {context, logits, targets}, gradient,
      [](double x, double t) {
        return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0) - x * t;
      },
      [](double x, double t) { return 1 / (1 + std::exp(-x)) - t; });
}

Pending<LossSum> CpuDevice::squared_error(Context& context, ConstMatrix logits,
                                          std::span<const float> targets,
                                          const LossGradient& gradient) const {
  return over_elements(
      {context, logits, targets}, gradient, [](double x, double t) { return (x - t) * (x - t); },
      [](double x, double t) { return 2 * (x - t); });
}

}  // namespace cloze::ops
