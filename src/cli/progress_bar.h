/// \file
/// A progress bar on standard error, for work that a person waits for:
///
///     encoding  42% [========>           ] 1,260/3,000 sentences, 512/s, 0:03 left
///
/// It appears only on a terminal and only once the work has taken a second, is redrawn at most ten
/// times a second, and leaves one finished line behind. Elsewhere (files, pipes, TERM=dumb) it
/// writes nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cloze/progress.h"

namespace cloze::cli {

/// What a progress bar is drawn with; the defaults are the terminal and the clock, tests bring
/// their own.
struct ProgressOptions {
  /// Takes what would go to the terminal. Empty: standard error if it is a terminal, else nothing.
  std::function<void(std::string_view)> sink;
  /// Empty: std::chrono::steady_clock::now.
  std::function<std::chrono::steady_clock::time_point()> now;
  /// Columns to fill; 0: the terminal's width, 80 if it does not say.
  int columns = 0;
};

class ProgressBar {
 public:
  /// Work called `label`, of `total` steps counted in `unit` ("sentences"). With a total of 0 or
  /// less, which means that nobody knows it, count and rate are shown without a bar.
  ProgressBar(std::string label, std::int64_t total, std::string unit,
              ProgressOptions options = {});

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ProgressBar(ProgressBar&&) = delete;
  ProgressBar& operator=(ProgressBar&&) = delete;

  /// Draws the last state (if anything was drawn before) and ends the line.
  ~ProgressBar();

  /// Counts `steps` more as done. Cheap, and may be called by many threads at once.
  void advance(std::int64_t steps = 1);

 private:
  using Time = std::chrono::steady_clock::time_point;

  [[nodiscard]] Time now() const;
  [[nodiscard]] std::string line(std::int64_t done, double seconds, bool finished) const;
  void draw(Time at, bool finished);

  std::string label_;
  std::int64_t total_;
  std::string unit_;
  ProgressOptions options_;
  Time start_;
  std::atomic<std::int64_t> done_{0};
  std::mutex drawing_;         // guards what follows
  std::optional<Time> drawn_;  // when the bar was last drawn
};

/// Draws the stages of a call one after another, each as a bar. For callbacks of the library.
[[nodiscard]] ProgressCallback terminal_progress(ProgressOptions options = {});

}  // namespace cloze::cli
