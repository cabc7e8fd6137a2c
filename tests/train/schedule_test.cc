// Schedules against the numbers of transformers and PyTorch.
#include "train/optimizer/schedule.h"

#include <array>
#include <span>

#include <gtest/gtest.h>

#include "cloze/error.h"

namespace cloze {
namespace {

/// Steps of `total` after a warm-up of 4, at a peak rate of 1.
void expect_curve(ScheduleKind kind, int total, std::span<const double> wanted) {
  for (std::size_t step = 0; step < wanted.size(); ++step) {
    EXPECT_NEAR(learning_rate_share(kind, static_cast<double>(step) / total, 4.0 / total),
                wanted[step], 2e-6)
        << name_of(kind) << ' ' << step;
  }
}

// transformers 5.24: get_..._schedule_with_warmup(optimizer, 4, 20);
// get_inverse_sqrt_schedule(optimizer, 4, timescale=4).
TEST(Schedule, TransformersNumbers) {
  expect_curve(ScheduleKind::linear, 20,
               std::array{0.0, 0.25, 0.5, 0.75, 1.0, 0.9375, 0.875, 0.8125, 0.75, 0.6875, 0.625});
  expect_curve(
      ScheduleKind::cosine, 20,
      std::array{0.0,        0.25,       0.5,        0.75,       1.0,        0.99039264, 0.96193977,
                 0.91573481, 0.85355339, 0.77778512, 0.69134172, 0.59754516, 0.5,        0.40245484,
                 0.30865828, 0.22221488, 0.14644661, 0.08426519, 0.03806023, 0.00960736});
  expect_curve(ScheduleKind::constant, 20, std::array{0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0});
  expect_curve(ScheduleKind::inverse_sqrt, 20,
               std::array{0.0, 0.25, 0.5, 0.75, 1.0, 0.89442719, 0.81649658, 0.75592895, 0.70710678,
                          0.66666667, 0.63245553});
}

// torch 2.15: OneCycleLR(optimizer, max_lr=1, total_steps=20, pct_start=0.25), which reaches its
// peak at its step 4 and its end at step 19.
TEST(Schedule, PyTorchsOneCycle) {
  expect_curve(
      ScheduleKind::one_cycle, 19,
      std::array{0.04,       0.18058875, 0.52,       0.85941125, 1.0,        0.98907384, 0.9567729,
                 0.90450888, 0.83456596, 0.750001,   0.65450988, 0.55226602, 0.44773798, 0.34549412,
                 0.250003,   0.16543804, 0.09549512, 0.0432311,  0.01093016, 4e-06});
}

TEST(Schedule, EndsAndEdges) {
  EXPECT_EQ(learning_rate_share(ScheduleKind::linear, 1, 0.1), 0.0);
  EXPECT_EQ(learning_rate_share(ScheduleKind::linear, 1.5, 0.1), 0.0);
  EXPECT_EQ(learning_rate_share(ScheduleKind::linear, 0, 0), 1.0);
  EXPECT_EQ(learning_rate_share(ScheduleKind::inverse_sqrt, 0, 0), 1.0);
  EXPECT_EQ(learning_rate_share(ScheduleKind::constant, 0.5, 1), 0.5);
}

TEST(Schedule, Names) {
  for (const auto kind : {ScheduleKind::linear, ScheduleKind::cosine, ScheduleKind::constant,
                          ScheduleKind::one_cycle, ScheduleKind::inverse_sqrt}) {
    EXPECT_EQ(schedule_from(name_of(kind)), kind);
  }
  EXPECT_THROW(static_cast<void>(schedule_from("steps")), ArgumentError);
}

}  // namespace
}  // namespace cloze
