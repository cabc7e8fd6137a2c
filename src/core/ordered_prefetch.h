/// \file
/// Work done ahead in background threads, its results taken in order.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/threads/process_executor.h"

namespace cloze {

/// Makes items number `first`, `first` + 1, ... up to `end` (not included), at most `ahead` of them
/// before they are asked for. With no threads each is made when it is asked for. Where the system
/// refuses threads there are fewer, and thread_status() tells.
template <class Item>
class OrderedPrefetch {
 public:
  /// `make(number, stop)` is called by several threads at once; it may give up early with anything
  /// once `stop` is true.
  using Make = std::function<Item(std::int64_t number, const std::atomic<bool>& stop)>;

  struct Range {
    std::int64_t first = 0;
    std::int64_t end = std::numeric_limits<std::int64_t>::max();
  };

  OrderedPrefetch(Make make, Range range, int threads, std::int64_t ahead)
      : make_(std::move(make)), range_(range), claimed_(range.first), taken_(range.first) {
    slots_.resize(static_cast<std::size_t>(std::max<std::int64_t>(ahead, 1)));
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error& refused) {
      // Those that there are make all items, and without any `next` does: the same ones, later.
      note_missing_threads(threads, static_cast<int>(threads_.size()), refused.what());
    } catch (...) {
      stop();
      throw;
    }
  }
  OrderedPrefetch(const OrderedPrefetch&) = delete;
  OrderedPrefetch& operator=(const OrderedPrefetch&) = delete;
  OrderedPrefetch(OrderedPrefetch&&) = delete;
  OrderedPrefetch& operator=(OrderedPrefetch&&) = delete;
  ~OrderedPrefetch() { stop(); }

  /// The next item. Rethrows what making it threw, and again when called again. Must not be called
  /// after the last.
  Item next() {
    if (threads_.empty()) {
      auto item = make_(taken_, stopping_);
      ++taken_;
      return item;
    }
    std::unique_lock lock(mutex_);
    auto& slot = slot_of(taken_);
    if (!slot.item && !slot.error) {
      const auto begin = Clock::now();
      ready_.wait(lock, [&] { return slot.item || slot.error; });
      const double waited = seconds_since(begin);
      if (taken_ == range_.first) {
        first_wait_ += waited;
      } else {
        waited_ += waited;
        ++waits_;
      }
    }
    if (slot.error) std::rethrow_exception(slot.error);
    auto item = std::move(*slot.item);
    slot.item.reset();
    ++taken_;
    lock.unlock();
    room_.notify_one();
    return item;
  }

  /// Seconds that `next` waited, and how often; the first item apart.
  [[nodiscard]] double waited() const { return waited_; }
  [[nodiscard]] double first_wait() const { return first_wait_; }
  [[nodiscard]] std::int64_t waits() const { return waits_; }

 private:
  struct Slot {
    std::optional<Item> item;
    std::exception_ptr error;
  };

  [[nodiscard]] Slot& slot_of(std::int64_t number) {
    return slots_[static_cast<std::size_t>(number) % slots_.size()];
  }

  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [this] {
        return stopping_ || claimed_ >= range_.end ||
               claimed_ < taken_ + static_cast<std::int64_t>(slots_.size());
      });
      if (stopping_ || claimed_ >= range_.end) return;
      const auto number = claimed_++;
      lock.unlock();
      Slot made;
      try {
        made.item.emplace(make_(number, stopping_));
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      slot_of(number) = std::move(made);
      lock.unlock();
      ready_.notify_one();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  Make make_;
  Range range_;
  std::mutex mutex_;                      // guards what follows, but for what only `next` touches
  std::condition_variable ready_, room_;  // an item has been made; there is room for another
  std::vector<Slot> slots_;               // of the items [taken_, taken_ + slots)
  std::int64_t claimed_, taken_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
  double waited_ = 0, first_wait_ = 0;
  std::int64_t waits_ = 0;
};

}  // namespace cloze
