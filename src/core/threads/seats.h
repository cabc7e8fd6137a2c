/// \file
/// Places to compute at: so many threads compute at once, and no more.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

namespace cloze {

/// A caller waits for a seat, first come, first served. A helper takes one only where one is free,
/// and gives it back when a caller waits.
class Seats {
 public:
  explicit Seats(int count) : free_(count) {}

  /// Waits for a seat.
  void take();
  /// Takes a seat where one is free at once.
  [[nodiscard]] bool try_take();
  /// Hands the seat to whoever has waited longest, if anybody does.
  void give_back();

  [[nodiscard]] bool any_free() const { return free_.load() > 0; }
  /// Whether a caller waits, and how many do.
  [[nodiscard]] bool wanted() const { return free_.load(std::memory_order_relaxed) < 0; }
  [[nodiscard]] int waiting() const { return std::max(0, -free_.load()); }

 private:
  struct Waiter {
    std::condition_variable ready;
    bool seated = false;
  };

  static constexpr std::size_t kCacheLine = 64;
  /// Free seats; below zero, how many callers wait. It falls below zero, and rises from there, only
  /// under the lock, so that it agrees with the queue there.
  alignas(kCacheLine) std::atomic<int> free_;
  alignas(kCacheLine) std::mutex guard_;
  std::deque<Waiter*> queue_;
};

}  // namespace cloze
