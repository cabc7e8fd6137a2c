#include "core/threads/seats.h"

namespace cloze {

bool Seats::try_take() {
  int free = free_.load();
  while (free > 0) {
    if (free_.compare_exchange_weak(free, free - 1)) return true;
  }
  return false;
}

void Seats::take() {
  if (try_take()) return;
  std::unique_lock lock(guard_);
  Waiter me;
  queue_.push_back(&me);  // first, because it may throw
  if (free_.fetch_sub(1) > 0) {
    queue_.pop_back();  // a seat was given back meanwhile
    return;
  }
  me.ready.wait(lock, [&me] { return me.seated; });
}

void Seats::give_back() {
  int free = free_.load();
  while (free >= 0) {
    if (free_.compare_exchange_weak(free, free + 1)) return;
  }
  const std::lock_guard lock(guard_);
  if (free_.fetch_add(1) >= 0) return;  // others served everybody meanwhile
  auto& first = *queue_.front();
  queue_.pop_front();
  first.seated = true;
  first.ready.notify_one();  // under the lock: without, the waiter could be gone already
}

}  // namespace cloze
