/// \file
/// Counts the work of one stage of a call, and tells the caller's callback.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "cloze/error.h"
#include "cloze/progress.h"

namespace cloze {

class ProgressCounter {
 public:
  /// `callback`, `stage` and `unit` must outlive the counter. A `total` of 0 means that nobody
  /// knows it.
  ProgressCounter(const ProgressCallback& callback, std::string_view stage, std::int64_t total,
                  std::string_view unit)
      : callback_(callback), state_{stage, 0, total, unit} {}

  /// Counts `steps` more as done. Any thread may call it. Throws Cancelled when the callback says
  /// so.
  void advance(std::int64_t steps = 1) {
    if (!callback_) return;
    const std::lock_guard lock(mutex_);
    state_.done += steps;
    if (!callback_(state_)) throw Cancelled("cancelled by the progress callback");
  }

 private:
  const ProgressCallback& callback_;
  std::mutex mutex_;
  Progress state_;
};

}  // namespace cloze
