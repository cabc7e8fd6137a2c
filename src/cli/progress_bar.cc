#include "cli/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/format.h"

namespace cloze::cli {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

constexpr auto kQuietFor = milliseconds(1000);
constexpr auto kRedrawEvery = milliseconds(100);
constexpr int kNarrowestBar = 5;
constexpr int kWidestBar = 40;

bool stderr_is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

void write_to_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

/// A decimal or two for small rates only: "0.25", "7.5", "1,234".
std::string rate_of(double per_second) {
  if (per_second < 1) return fmt::format("{:.2f}", per_second);
  if (per_second < 10) return fmt::format("{:.1f}", per_second);
  return grouped(static_cast<std::int64_t>(std::min(per_second, 1e18)));
}

}  // namespace

ProgressBar::ProgressBar(std::string label, std::int64_t total, std::string unit,
                         ProgressOptions options)
    : label_(std::move(label)),
      total_(total),
      unit_(std::move(unit)),
      options_(std::move(options)),
      start_(now()) {
  if (!options_.sink && stderr_is_terminal()) options_.sink = write_to_stderr;
}

ProgressBar::~ProgressBar() {
  const std::lock_guard lock(drawing_);
  if (drawn_) draw(now(), true);
}

void ProgressBar::advance(std::int64_t steps) {
  done_.fetch_add(steps, std::memory_order_relaxed);
  if (!options_.sink) return;
  const Time at = now();
  if (at - start_ < kQuietFor) return;
  const std::unique_lock lock(drawing_, std::try_to_lock);
  if (!lock || (drawn_ && at - *drawn_ < kRedrawEvery)) return;
  draw(at, false);
}

ProgressBar::Time ProgressBar::now() const {
  return options_.now ? options_.now() : std::chrono::steady_clock::now();
}

void ProgressBar::draw(Time at, bool finished) {
  const auto text =
      line(done_.load(std::memory_order_relaxed), duration<double>(at - start_).count(), finished);
  // Carriage return, the line, and "erase to the end of the line" for what the last one left.
  options_.sink(fmt::format("\r{}\x1b[K{}", text, finished ? "\n" : ""));
  drawn_ = at;
}

std::string ProgressBar::line(std::int64_t done, double seconds, bool finished) const {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0.0;
  // The last column stays free: many terminals wrap when it is written.
  const int columns =
      (options_.columns > 0 ? options_.columns : static_cast<int>(terminal_width(STDERR_FILENO))) -
      1;
  std::string text;
  if (total_ <= 0) {
    text = fmt::format("{} {} {}, {}/s, {}", label_, grouped(done), unit_, rate_of(rate),
                       clock_text(seconds));
  } else {
    const double part =
        std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
    std::string when = clock_text(seconds);
    if (!finished) {
      when =
          rate > 0
              ? clock_text(static_cast<double>(std::max<std::int64_t>(0, total_ - done)) / rate) +
                    " left"
              : "? left";
    }
    const auto head = fmt::format("{} {:3.0f}% ", label_, std::floor(part * 100));
    const auto tail = fmt::format("{}/{} {}, {}/s, {}", grouped(done), grouped(total_), unit_,
                                  rate_of(rate), when);
    const int room = columns - static_cast<int>(head.size() + tail.size()) - 3;
    std::string bar;
    if (room >= kNarrowestBar) {
      const auto width = static_cast<std::size_t>(std::min(room, kWidestBar));
      const auto filled = static_cast<std::size_t>(part * static_cast<double>(width));
      bar = std::string(filled, '=');
      if (filled < width) bar += '>';
      bar.resize(width, ' ');
      bar = fmt::format("[{}] ", bar);
    }
    text = head + bar + tail;
  }
  text.resize(std::min(text.size(), static_cast<std::size_t>(std::max(columns, 0))));
  return text;
}

ProgressCallback terminal_progress(ProgressOptions options) {
  struct Bars {
    ProgressOptions options;
    std::string stage;
    std::int64_t done = 0;
    std::unique_ptr<ProgressBar> bar;
  };
  auto bars = std::make_shared<Bars>();
  bars->options = std::move(options);
  return [bars](const Progress& progress) {
    if (!bars->bar || bars->stage != progress.stage || progress.done < bars->done) {
      bars->bar.reset();  // its line ends before another begins
      bars->bar = std::make_unique<ProgressBar>(std::string(progress.stage), progress.total,
                                                std::string(progress.unit), bars->options);
      bars->stage = progress.stage;
      bars->done = 0;
    }
    bars->bar->advance(progress.done - bars->done);
    bars->done = progress.done;
    return true;
  };
}

}  // namespace cloze::cli
