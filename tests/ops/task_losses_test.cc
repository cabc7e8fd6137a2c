// The losses of task heads against plain ones in doubles, and their gradients against differences.
#include <cmath>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "ops/loss.h"
#include "ops/operands.h"
#include "reference/training.h"

namespace cloze::ops {
namespace {

using testing::normal;
using testing::Random;

struct Logits {
  std::int64_t rows, cols;
  std::vector<float> values;

  Logits(std::int64_t r, std::int64_t c, Random& random)
      : rows(r), cols(c), values(static_cast<std::size_t>(r * c)) {
    for (auto& value : values) value = static_cast<float>(3 * normal(random));
  }
  [[nodiscard]] Matrix matrix() {
    return {reinterpret_cast<std::byte*>(values.data()), DType::f32, rows, cols, cols};
  }
  [[nodiscard]] reference::Matrix reference() const {
    reference::Matrix matrix(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    for (std::size_t i = 0; i < values.size(); ++i) matrix.values[i] = values[i];
    return matrix;
  }
};

double log_softmax(const std::vector<double>& x, std::size_t index) {
  double sum = 0;
  for (const double value : x) sum += std::exp(value);
  return x[index] - std::log(sum);
}

/// Runs the operation in place and holds its sum, and scale times its gradient, against `wanted`.
LossSum expect_loss(Logits logits, const std::function<double(const reference::Matrix&)>& wanted,
                    const std::function<LossSum(Context&, Matrix, double, Matrix)>& operation) {
  constexpr double kScale = 0.25;
  Context context;
  context.begin();
  const auto plain = logits.reference();
  const auto alone = operation(context, logits.matrix(), kScale, {});
  const auto loss = operation(context, logits.matrix(), kScale, logits.matrix());
  EXPECT_EQ(alone.sum, loss.sum);
  EXPECT_EQ(alone.correct, loss.correct);
  EXPECT_NEAR(loss.sum, wanted(plain), 1e-6 * (1 + std::abs(loss.sum)));
  const auto slope = reference::gradient(wanted, plain);
  for (std::size_t i = 0; i < slope.values.size(); ++i) {
    EXPECT_NEAR(logits.values[i], kScale * slope.values[i], 1e-6) << i;
  }
  return loss;
}

constexpr std::int32_t kIgnored = -100;

TEST(TaskLosses, ClassesWithWeightsAndSmoothing) {
  Random random(1);
  const std::vector<float> some{0.5F, 2, 0, 1.25F, 1};
  for (const double smoothing : {0.0, 0.1}) {
    for (const bool weighted : {false, true}) {
      for (const std::int64_t rows : {1, 31, 70}) {
        const Logits logits(rows, 5, random);
        std::vector<std::int32_t> labels;
        for (std::int64_t i = 0; i < rows; ++i) {
          labels.push_back(i % 4 == 3 ? kIgnored : static_cast<std::int32_t>(random() % 5));
        }
        double weight = 0;
        std::int64_t labelled = 0;
        const auto weight_of = [&](std::size_t c) { return weighted ? double{some[c]} : 1.0; };
        for (const auto label : labels) {
          if (label == kIgnored) continue;
          ++labelled;
          weight += weight_of(static_cast<std::size_t>(label));
        }
        const auto wanted = [&](const reference::Matrix& x) {
          double sum = 0;
          for (std::size_t r = 0; r < x.rows; ++r) {
            if (labels[r] == kIgnored) continue;
            const std::vector<double> row(
                x.values.begin() + static_cast<std::ptrdiff_t>(r * 5),
                x.values.begin() + static_cast<std::ptrdiff_t>(r * 5 + 5));
            const auto label = static_cast<std::size_t>(labels[r]);
            sum -= (1 - smoothing) * weight_of(label) * log_softmax(row, label);
            for (std::size_t c = 0; c < 5; ++c) {
              sum -= smoothing / 5 * weight_of(c) * log_softmax(row, c);
            }
          }
          return sum;
        };
        const ClassLoss options{.class_weights = weighted ? some : std::span<const float>{},
                                .smoothing = smoothing};
        const auto loss =
            expect_loss(logits, wanted, [&](Context& context, Matrix x, double scale, Matrix d_x) {
              return class_cross_entropy(context, x, labels, options, {scale, d_x}).get();
            });
        EXPECT_NEAR(loss.weight, weight, 1e-9);
        EXPECT_EQ(loss.labelled, labelled);
      }
    }
  }
}

TEST(TaskLosses, SegmentsOfAColumn) {
  Random random(2);
  const std::vector<std::int32_t> ends{0, 7, 8, 40, 42};
  const std::vector<std::int32_t> labels{3, 0, 31, 1};
  for (const double smoothing : {0.0, 0.1}) {
    for (const std::int64_t column : {0, 1}) {
      const auto wanted = [&](const reference::Matrix& x) {
        double sum = 0;
        for (std::size_t s = 0; s < labels.size(); ++s) {
          std::vector<double> part;
          for (auto r = ends[s]; r < ends[s + 1]; ++r) {
            part.push_back(x(static_cast<std::size_t>(r), static_cast<std::size_t>(column)));
          }
          sum -= (1 - smoothing) * log_softmax(part, static_cast<std::size_t>(labels[s]));
          for (std::size_t i = 0; i < part.size(); ++i) {
            sum -= smoothing / static_cast<double>(part.size()) * log_softmax(part, i);
          }
        }
        return sum;
      };
      Logits logits(42, 2, random);
      Context context;
      context.begin();
      const auto plain = logits.reference();
      const auto loss =
          segment_cross_entropy(context, logits.matrix(), {column, ends, labels, smoothing},
                                {0.5, logits.matrix()})
              .get();
      EXPECT_NEAR(loss.sum, wanted(plain), 1e-6 * loss.sum);
      EXPECT_EQ(loss.weight, 4.0);
      EXPECT_EQ(loss.labelled, 4);
      EXPECT_GE(loss.correct, 1);  // the segment of one row
      const auto slope = reference::gradient(wanted, plain);
      for (std::size_t i = 0; i < slope.values.size(); ++i) {
        // The other column stays as it was.
        const bool own = static_cast<std::int64_t>(i % 2) == column;
        EXPECT_NEAR(logits.values[i], own ? 0.5 * slope.values[i] : plain.values[i], 1e-6) << i;
      }
    }
  }
}

TEST(TaskLosses, BinaryCrossEntropyAndSquaredError) {
  Random random(3);
  for (const std::int64_t cols : {1, 3}) {
    const Logits logits(50, cols, random);
    std::vector<float> targets;
    for (std::int64_t i = 0; i < 50 * cols; ++i)
      targets.push_back(static_cast<float>(random() % 2));
    auto loss = expect_loss(
        logits,
        [&](const reference::Matrix& x) {
          double sum = 0;
          for (std::size_t i = 0; i < x.values.size(); ++i) {
            const double p = 1 / (1 + std::exp(-x.values[i]));
            sum -= targets[i] * std::log(p) + (1 - targets[i]) * std::log(1 - p);
          }
          return sum;
        },
        [&](Context& context, Matrix x, double scale, Matrix d_x) {
          return binary_cross_entropy(context, x, targets, {scale, d_x}).get();
        });
    EXPECT_EQ(loss.weight, 50.0 * static_cast<double>(cols));
    loss = expect_loss(
        logits,
        [&](const reference::Matrix& x) {
          double sum = 0;
          for (std::size_t i = 0; i < x.values.size(); ++i) {
            sum += (x.values[i] - targets[i]) * (x.values[i] - targets[i]);
          }
          return sum;
        },
        [&](Context& context, Matrix x, double scale, Matrix d_x) {
          return squared_error(context, x, targets, {scale, d_x}).get();
        });
    EXPECT_EQ(loss.weight, 50.0 * static_cast<double>(cols));
  }
}

TEST(TaskLosses, ExtremeLogitsStayFinite) {
  std::vector<float> values{1000, -1000, -1000, 1000};
  const Matrix logits{reinterpret_cast<std::byte*>(values.data()), DType::f32, 2, 2, 2};
  Context context;
  context.begin();
  const std::vector<std::int32_t> labels{0, 0};
  EXPECT_EQ(class_cross_entropy(context, logits, labels, {}, {1, {}}).get().sum, 2000.0);
  const std::vector<float> targets{1, 0, 1, 0};
  EXPECT_EQ(binary_cross_entropy(context, logits, targets, {1, {}}).get().sum, 2000.0);
}

TEST(TaskLosses, TheSameBitsAtAnyNumberOfThreads) {
  Random random(4);
  Logits logits(500, 9, random);
  std::vector<std::int32_t> labels(500);
  for (auto& label : labels) label = static_cast<std::int32_t>(random() % 9);
  const auto sum_with = [&](int threads) {
    set_num_threads(threads);
    Context context;
    context.begin();
    const double sum = class_cross_entropy(context, logits.matrix(), labels, {}, {1, {}}).get().sum;
    set_num_threads(0);
    return sum;
  };
  EXPECT_EQ(sum_with(1), sum_with(3));
}

TEST(TaskLosses, OperandsThatDoNotFitAreRefused) {
  Random random(5);
  Logits logits(3, 2, random);
  Context context;
  context.begin();
  const auto matrix = logits.matrix();
  const std::vector<std::int32_t> few{0, 1}, wild{0, 1, 2}, good{0, 1, 0}, ends{0, 3},
      short_ends{0, 2};
  const std::vector<float> weights{1}, targets{1, 2, 3};
  const auto refused = [](auto call) { EXPECT_THROW(static_cast<void>(call()), ArgumentError); };
  refused([&] { return class_cross_entropy(context, matrix, few, {}, {1, {}}); });
  refused([&] { return class_cross_entropy(context, matrix, wild, {}, {1, {}}); });
  refused([&] {
    return class_cross_entropy(context, matrix, good, {.class_weights = weights}, {1, {}});
  });
  refused([&] {
    return class_cross_entropy(context, matrix, good, {}, {1, matrix.rows_from(0, 2)});
  });
  refused([&] { return squared_error(context, matrix, targets, {1, {}}); });
  const std::vector<std::int32_t> one{3}, first{0};
  refused([&] { return segment_cross_entropy(context, matrix, {0, ends, one}, {1, {}}); });
  refused([&] { return segment_cross_entropy(context, matrix, {2, ends, first}, {1, {}}); });
  refused([&] { return segment_cross_entropy(context, matrix, {0, short_ends, first}, {1, {}}); });
}

}  // namespace
}  // namespace cloze::ops
