#include "cli/progress_bar.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cloze::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A terminal of 80 columns and a clock that the test moves.
struct Stage {
  std::chrono::steady_clock::time_point time{std::chrono::hours(1)};
  std::vector<std::string> drawn;

  ProgressOptions options(int columns = 80) {
    return {.sink = [this](std::string_view text) { drawn.emplace_back(text); },
            .now = [this] { return time; },
            .columns = columns};
  }
};

TEST(Progress, ShowsNothingForWorkUnderASecond) {
  Stage stage;
  {
    ProgressBar progress("encoding", 100, "sentences", stage.options());
    for (int i = 0; i < 99; ++i) {
      stage.time += milliseconds(10);
      progress.advance();
    }
  }
  EXPECT_THAT(stage.drawn, IsEmpty());
}

TEST(Progress, ShowsShareRateAndTimeLeft) {
  Stage stage;
  {
    ProgressBar progress("encoding", 3000, "sentences", stage.options());
    stage.time += milliseconds(2000);
    progress.advance(1200);
    ASSERT_THAT(stage.drawn, SizeIs(1));
    EXPECT_EQ(
        stage.drawn[0],
        "\rencoding  40% [=========>             ] 1,200/3,000 sentences, 600/s, 0:03 left\x1b[K");
    stage.time += milliseconds(3000);
    progress.advance(1800);
  }
  ASSERT_THAT(stage.drawn, SizeIs(3));
  EXPECT_THAT(stage.drawn[2], HasSubstr("100% ["));
  EXPECT_THAT(stage.drawn[2], HasSubstr("=] 3,000/3,000 sentences, 600/s, 0:05\x1b[K\n"));
  EXPECT_THAT(stage.drawn[2], Not(HasSubstr("left")));
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  Stage stage;
  ProgressBar progress("training", 100000, "steps", stage.options());
  for (int i = 0; i < 4000; ++i) {
    stage.time += milliseconds(1);
    progress.advance();
  }
  EXPECT_LE(stage.drawn.size(), 31U);
  EXPECT_GE(stage.drawn.size(), 28U);
}

TEST(Progress, LeavesTheFinishedLineWhenWorkStopsEarly) {
  Stage stage;
  {
    ProgressBar progress("encoding", 10, "files", stage.options());
    stage.time += milliseconds(1500);
    progress.advance(3);
  }
  ASSERT_THAT(stage.drawn, SizeIs(2));
  EXPECT_THAT(stage.drawn[1], HasSubstr(" 30% "));
  EXPECT_THAT(stage.drawn[1], EndsWith("3/10 files, 2.0/s, 0:02\x1b[K\n"));
}

TEST(Progress, CountsWithoutAKnownTotal) {
  Stage stage;
  ProgressBar progress("reading", 0, "lines", stage.options());
  stage.time += milliseconds(4000);
  progress.advance(1234567);
  EXPECT_THAT(stage.drawn, ElementsAre("\rreading 1,234,567 lines, 308,641/s, 0:04\x1b[K"));
}

TEST(Progress, FitsANarrowTerminal) {
  for (int columns = 1; columns <= 120; ++columns) {
    Stage stage;
    ProgressBar progress("encoding", 3000, "sentences", stage.options(columns));
    stage.time += milliseconds(2000);
    progress.advance(1200);
    ASSERT_THAT(stage.drawn, SizeIs(1));
    const auto visible = stage.drawn[0].size() - std::string("\r\x1b[K").size();
    EXPECT_LT(visible, static_cast<std::size_t>(columns));
  }
}

TEST(Progress, ManyThreadsLoseNoStep) {
  Stage stage;
  {
    ProgressBar progress("counting", 40000, "steps", stage.options());
    stage.time += milliseconds(1200);
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&progress] {
        for (int i = 0; i < 10000; ++i) progress.advance();
      });
    }
  }
  ASSERT_THAT(stage.drawn, Not(IsEmpty()));
  EXPECT_THAT(stage.drawn.back(), HasSubstr("40,000/40,000"));
}

TEST(Progress, LongTimesReadAsHoursAndDays) {
  Stage stage;
  ProgressBar progress("training", 1000, "steps", stage.options());
  stage.time += std::chrono::seconds(36);
  progress.advance(10);
  EXPECT_THAT(stage.drawn.back(), HasSubstr("0.28/s, 59:24 left"));
  stage.time += std::chrono::seconds(164);
  progress.advance(1);
  EXPECT_THAT(stage.drawn.back(), HasSubstr("0.06/s, 4:59:42 left"));
  stage.time += std::chrono::hours(100);
  progress.advance(1);
  EXPECT_THAT(stage.drawn.back(), HasSubstr(" d "));
}

TEST(Progress, IsSilentWhenStandardErrorIsNoTerminal) {
  ::testing::internal::CaptureStderr();  // a file from here on
  {
    Stage stage;
    ProgressBar progress("encoding", 10, "sentences",
                         {.sink = {}, .now = [&] { return stage.time; }, .columns = 80});
    stage.time += milliseconds(5000);
    progress.advance(5);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace cloze::cli
