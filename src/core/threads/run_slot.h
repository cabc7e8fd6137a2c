/// \file
/// Where a caller puts up work in pieces, and helpers find it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>

#include "core/function_ref.h"
#include "core/threads/seats.h"

namespace cloze {

// Long enough to bridge the gap between two operations of a model, far shorter than a time slice.
constexpr int kSpins = 2000;

/// Tells the processor that the thread waits in a loop.
void pause_briefly();

/// One caller's runs, one after another. A run's pieces are handed out through one word that
/// carries the run's number in its upper half and the next piece in its lower: a helper that comes
/// late, for a run that is over, finds another number there and touches nothing of the new run.
class RunSlot {
 public:
  using Body = FunctionRef<void(std::int64_t)>;

  /// Whether the slot was nobody's and is the caller's now.
  [[nodiscard]] bool claim() { return !claimed_.load() && !claimed_.exchange(true); }
  void leave() { claimed_.store(false); }

  /// Begins a run: `body(index)` for every index of [0, count) in pieces of `grain`. From here on
  /// helpers take pieces.
  void begin(std::int64_t count, std::int64_t grain, const Body& body);

  /// For the caller, after begin: takes pieces too, and waits for those that helpers took. Rethrows
  /// an exception from the body.
  void finish();

  /// Whether a run has pieces that nobody has taken.
  [[nodiscard]] bool open() const;

  /// For a helper: takes pieces until none is left or somebody wants a seat.
  void help(const Seats& seats);

 private:
  [[nodiscard]] bool run_piece(std::uint32_t number);

  static constexpr std::size_t kCacheLine = 64;
  alignas(kCacheLine) std::atomic<std::uint64_t> next_ = 0;  ///< run number, next piece
  std::atomic<std::uint32_t> pieces_ = 0;                    ///< of the latest run
  const Body* body_ = nullptr;
  std::int64_t count_ = 0;
  std::int64_t grain_ = 1;
  alignas(kCacheLine) std::atomic<std::uint32_t> done_ = 0;  ///< pieces that are finished
  std::atomic<bool> claimed_ = false;
  std::mutex guard_;  ///< of what follows
  std::exception_ptr failure_;
};

}  // namespace cloze
