// Losses and optimizers on the second device, against the processor's.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "ops/both_devices.h"

namespace cloze::ops {
namespace {

/// The loss alone, with its gradient beside the logits, and over them.
template <class Loss>
void three_times(Trial& trial, Matrix logits, const Loss& loss) {
  const Pending<LossSum> alone = loss(LossGradient{.scale = 0.25});
  const Pending<LossSum> beside =
      loss({.scale = 0.25, .d_logits = trial.matrix(logits.rows, logits.cols, 1)});
  const Pending<LossSum> over = loss({.scale = 0.25, .d_logits = logits});
  for (const auto& sum : {alone, beside, over}) trial.number(sum.get());
}

TEST(BothDevices, CrossEntropyOfAVocabulary) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto logits = trial.matrix(rows, cols, 2);
      const auto labels =
          trial.indices(static_cast<std::size_t>(rows), static_cast<std::uint64_t>(cols));
      three_times(trial, logits, [&](const LossGradient& gradient) {
        return cross_entropy(trial.context, logits, labels, gradient);
      });
    });
  }
}

TEST(BothDevices, CrossEntropyOfClasses) {
  const std::vector<float> some{0.5F, 2, 0, 1.25F, 1};
  for (const std::int64_t rows : {0, 1, 50}) {
    for (const bool weighted : {false, true}) {
      for (const double smoothing : {0.0, 0.1}) {
        on_both([&](Trial& trial) {
          const auto logits = trial.matrix(rows, 5, 2);
          auto labels = trial.indices(static_cast<std::size_t>(rows), 5);
          const ClassLoss options{.class_weights = weighted ? some : std::span<const float>{},
                                  .smoothing = smoothing,
                                  .ignored = -7};
          for (std::size_t i = 0; i < labels.size(); i += 3) labels[i] = options.ignored;
          three_times(trial, logits, [&](const LossGradient& gradient) {
            return class_cross_entropy(trial.context, logits, labels, options, gradient);
          });
        });
      }
    }
  }
}

TEST(BothDevices, CrossEntropyOfSegments) {
  const std::vector<std::int32_t> ends{0, 7, 8, 40, 42}, labels{3, 0, 31, 1};
  for (const double smoothing : {0.0, 0.1}) {
    for (const std::int64_t column : {0, 1}) {
      on_both([&](Trial& trial) {
        const auto logits = trial.matrix(42, 2, 1);
        three_times(trial, logits, [&](const LossGradient& gradient) {
          return segment_cross_entropy(trial.context, logits, {column, ends, labels, smoothing},
                                       gradient);
        });
      });
    }
  }
}

TEST(BothDevices, LossesOfElements) {
  for (const auto& [rows, cols] : kSizes) {
    on_both([&, rows = rows, cols = cols](Trial& trial) {
      const auto logits = trial.matrix(rows, cols, 2), others = trial.matrix(rows, cols);
      std::vector<float> targets(static_cast<std::size_t>(rows * cols));
      for (auto& target : targets) target = static_cast<float>(trial.random() % 2);
      three_times(trial, logits, [&](const LossGradient& gradient) {
        return binary_cross_entropy(trial.context, logits, targets, gradient);
      });
      three_times(trial, others, [&](const LossGradient& gradient) {
        return squared_error(trial.context, others, targets, gradient);
      });
    });
  }
}

// The optimizers.

OptimizedArrays arrays_of(Trial& trial, std::int64_t count) {
  return {.value = trial.values(count),
          .gradient = trial.values(count),
          .exp_avg = trial.values(count),
          .exp_avg_sq = trial.values(count, 0, true)};
}

constexpr AdamSettings settings_of(bool bias_correction, std::int64_t step) {
  return {
      .learning_rate = 1e-2, .weight_decay = 0.1, .bias_correction = bias_correction, .step = step};
}

template <class Step>
void for_optimizers(const Step& step) {
  for (const bool bias_correction : {true, false}) {
    for (const float scale : {1.0F, 0.25F}) {
      on_both([&](Trial& trial) {
        std::vector<OptimizedArrays> arrays;
        for (const std::int64_t count : {1, 50, 333}) arrays.push_back(arrays_of(trial, count));
        arrays[0].rate = 0.5;
        arrays[1].decay = false;
        const auto rounded = trial.matrix(1, 333, 0, DType::bf16);
        arrays[2].rounded = {reinterpret_cast<BFloat16*>(rounded.data), 333};
        for (std::int64_t i = 1; i < 3; ++i) {
          step(trial, arrays, settings_of(bias_correction, i), scale);
          // Rounded values are the values' own: no comparison of two roundings that may differ.
          const auto value = arrays[2].value;
          const auto got = to_host(trial.context, rounded);
          const auto wanted = to_host(trial.context.device(), value, {333});
          for (std::int64_t at = 0; at < 333; ++at) {
            const auto single = static_cast<float>(element(wanted, at));
            ASSERT_EQ(got.values<BFloat16>()[static_cast<std::size_t>(at)].bits,
                      BFloat16::from(single).bits);
          }
        }
        fill_zero(trial.context, rounded);
      });
    }
  }
}

TEST(BothDevices, AdamW) {
  for_optimizers([](Trial& trial, std::span<const OptimizedArrays> arrays,
                    const AdamSettings& settings,
                    float scale) { adamw(trial.context, arrays, settings, scale); });
}

TEST(BothDevices, Lamb) {
  for_optimizers([](Trial& trial, std::span<const OptimizedArrays> arrays,
                    const AdamSettings& settings,
                    float scale) { lamb(trial.context, arrays, settings, scale); });
}

TEST(BothDevices, AdamWOfSomeRows) {
  const std::vector<std::int32_t> rows{6, 0, 3};
  for (const bool bias_correction : {true, false}) {
    on_both([&](Trial& trial) {
      auto array = arrays_of(trial, 7 * 19);
      array.rate = 2;
      adamw_rows(trial.context, array, 19, rows, settings_of(bias_correction, 3), 0.5F);
    });
  }
}

TEST(BothDevices, AdamWOfOwedSteps) {
  constexpr std::int64_t kRows = 7, kCols = 19;
  // The last row's moments are zero: it has not moved.
  const std::vector<OwedSteps> owed{{0, 0, true}, {3, 2, true}, {5, 4, true}, {6, 1, false}};
  for (const bool bias_correction : {true, false}) {
    for (const bool decay : {true, false}) {
      on_both([&](Trial& trial) {
        auto array = arrays_of(trial, kRows * kCols);
        array.gradient = trial.zeros(kRows * kCols);
        array.decay = decay;
        const auto last = [&](std::span<float> values) {
          return Matrix{reinterpret_cast<std::byte*>(values.data() + 6 * kCols), DType::f32, 1,
                        kCols, kCols};
        };
        fill_zero(trial.context, last(array.exp_avg));
        fill_zero(trial.context, last(array.exp_avg_sq));
        std::vector<AdamSettings> steps;
        for (std::int64_t i = 1; i <= 4; ++i) {
          steps.push_back(settings_of(bias_correction, i));
          steps.back().learning_rate /= static_cast<double>(i);
        }
        adamw_owed(trial.context, array, kCols, owed, steps);
      });
    }
  }
}

TEST(BothDevices, SumsOfSquares) {
  on_both([](Trial& trial) {
    const auto a = trial.values(1), b = trial.values(70000), c = trial.values(7 * 19);
    const std::array<std::span<const float>, 3> arrays{a, b, c};
    const std::vector<std::int32_t> rows{6, 0, 3};
    trial.number(sum_of_squares(trial.context, arrays).get());
    trial.number(sum_of_squares(trial.context, {}).get());
    trial.number(sum_of_squares(trial.context, c, 19, rows).get());
  });
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Trial trial(second());
    const auto values = trial.values(5);
    copy_in(second(), std::array{1.0F, bad}, values.subspan(2, 2));
    const std::array<std::span<const float>, 1> arrays{values};
    EXPECT_FALSE(std::isfinite(sum_of_squares(trial.context, arrays).get()));
  }
}

}  // namespace
}  // namespace cloze::ops
