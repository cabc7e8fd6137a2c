/// \file
/// Time that has passed, by a clock that nobody sets.
#pragma once

#include <chrono>

namespace cloze {

using Clock = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[nodiscard]] inline double milliseconds_since(Clock::time_point start) {
  return 1e3 * seconds_since(start);
}

}  // namespace cloze
