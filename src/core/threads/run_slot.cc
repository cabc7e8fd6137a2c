#include "core/threads/run_slot.h"

#include <algorithm>
#include <thread>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cloze {
namespace {

constexpr unsigned kHalf = 32;
constexpr std::uint32_t kNoPiece = 0xFFFFFFFFU;  ///< beyond the last piece of any run

}  // namespace

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

void RunSlot::begin(std::int64_t count, std::int64_t grain, const Body& body) {
  // Pieces are counted in 32 bits; a grain that would need more grows.
  constexpr std::int64_t most = std::int64_t{1} << 30;
  grain = std::max({grain, (count + most - 1) / most, std::int64_t{1}});
  const auto number =
      static_cast<std::uint32_t>(next_.load(std::memory_order_relaxed) >> kHalf) + 1;
  const std::uint64_t first = static_cast<std::uint64_t>(number) << kHalf;
  // Closed while its parameters change, so that nobody takes a piece by the old run's number and
  // the new one's count.
  next_.store(first | kNoPiece);
  body_ = &body;
  count_ = count;
  grain_ = grain;
  failure_ = nullptr;
  done_.store(0, std::memory_order_relaxed);
  pieces_.store(static_cast<std::uint32_t>((count + grain - 1) / grain));
  next_.store(first);
}

void RunSlot::finish() {
  const auto number = static_cast<std::uint32_t>(next_.load(std::memory_order_relaxed) >> kHalf);
  while (run_piece(number)) {
  }
  const std::uint32_t pieces = pieces_.load(std::memory_order_relaxed);
  for (int spin = 0;; ++spin) {
    const std::uint32_t done = done_.load(std::memory_order_acquire);
    if (done == pieces) break;
    if (spin < kSpins) {
      pause_briefly();
    } else {
      done_.wait(done, std::memory_order_acquire);
    }
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

bool RunSlot::open() const { return static_cast<std::uint32_t>(next_.load()) < pieces_.load(); }

void RunSlot::help(const Seats& seats) {
  const auto number = static_cast<std::uint32_t>(next_.load() >> kHalf);
  while (!seats.wanted() && run_piece(number)) {
  }
}

/// Takes and runs a piece of run `number`; false when none is left.
bool RunSlot::run_piece(std::uint32_t number) {
  std::uint64_t next = next_.load();
  while (true) {
    const auto piece = static_cast<std::uint32_t>(next);
    if (next >> kHalf != number || piece >= pieces_.load()) return false;
    if (next_.compare_exchange_weak(next, next + 1)) break;
  }
  // The run cannot end before this piece is done, so its parameters stay what they are.
  const std::uint32_t pieces = pieces_.load(std::memory_order_relaxed);
  const std::int64_t begin = static_cast<std::int64_t>(static_cast<std::uint32_t>(next)) * grain_;
  const std::int64_t end = std::min(count_, begin + grain_);
  try {
    for (std::int64_t i = begin; i < end; ++i) (*body_)(i);
  } catch (...) {
    const std::lock_guard lock(guard_);
    if (!failure_) failure_ = std::current_exception();
  }
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces) done_.notify_all();
  return true;
}

}  // namespace cloze
