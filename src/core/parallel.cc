#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <omp.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cloze/error.h"

namespace cloze {
namespace {

// Long enough to bridge the gap between two operations of a model, far shorter than a time slice.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// What a thread is to the team that runs it.
struct Membership {
  bool in_parallel = false;
  int worker = 0;
};

Membership& membership() {
  thread_local Membership mine;
  return mine;
}

/// The threads beside the calling one. A run's pieces are handed out through one word that carries
/// the run's number in its upper half and the next piece in its lower: a member that comes late,
/// for a run that is over, finds another number there and touches nothing of the new run.
class Team {
 public:
  explicit Team(int members) {
    try {
      for (int worker = 1; worker < members; ++worker) {
        threads_.emplace_back([this, worker] { serve(worker); });
      }
    } catch (const std::system_error& error) {
      stop();
      throw Error(fmt::format("cannot start {} threads: {}; compute with fewer", members,
                              error.code().message()));
    }
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { stop(); }

  [[nodiscard]] int members() const { return static_cast<int>(threads_.size()) + 1; }

  void run(std::int64_t count, std::int64_t grain, const FunctionRef<void(std::int64_t)>& body) {
    // Pieces are counted in 32 bits; a grain that would need more grows.
    constexpr std::int64_t most = std::int64_t{1} << 30;
    grain = std::max(grain, (count + most - 1) / most);
    const auto pieces = static_cast<std::uint32_t>((count + grain - 1) / grain);
    const std::uint32_t number = run_.load(std::memory_order_relaxed) + 1;
    const std::uint64_t first = static_cast<std::uint64_t>(number) << 32U;
    // Closed while its parameters change, so that nobody takes a piece by the old run's number and
    // the new one's count.
    next_.store(first | 0xFFFFFFFFU);
    body_ = &body;
    count_ = count;
    grain_ = grain;
    failure_ = nullptr;
    done_.store(0, std::memory_order_relaxed);
    pieces_.store(pieces);
    next_.store(first, std::memory_order_release);
    run_.store(number, std::memory_order_release);
    run_.notify_all();

    auto& mine = membership();
    mine.in_parallel = true;
    work(number);
    mine.in_parallel = false;
    for (int spin = 0;; ++spin) {
      const std::uint32_t done = done_.load(std::memory_order_acquire);
      if (done == pieces) break;
      if (spin < kSpins) {
        pause();
      } else {
        done_.wait(done, std::memory_order_acquire);
      }
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void stop() {
    stopping_ = true;
    run_.fetch_add(1);
    run_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void serve(int worker) {
    omp_set_num_threads(1);  // oneDNN stays on this thread
    membership() = {.in_parallel = true, .worker = worker};
    std::uint32_t seen = 0;
    while (true) {
      for (int spin = 0;; ++spin) {
        const std::uint32_t number = run_.load(std::memory_order_acquire);
        if (number != seen) {
          seen = number;
          break;
        }
        if (spin < kSpins) {
          pause();
        } else {
          run_.wait(seen, std::memory_order_acquire);
        }
      }
      if (stopping_) return;
      work(seen);
    }
  }

  /// Takes pieces of run `number` until none is left.
  void work(std::uint32_t number) {
    while (true) {
      std::uint64_t next = next_.load();
      const auto piece = static_cast<std::uint32_t>(next);
      if (next >> 32U != number || piece >= pieces_.load()) return;
      if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
      // The run cannot end before this piece is done, so its parameters stay what they are.
      const std::int64_t begin = piece * grain_;
      const std::int64_t end = std::min(count_, begin + grain_);
      try {
        for (std::int64_t i = begin; i < end; ++i) (*body_)(i);
      } catch (...) {
        const std::lock_guard lock(guard_);
        failure_ = std::current_exception();
      }
      const std::uint32_t pieces = pieces_.load(std::memory_order_relaxed);
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces) done_.notify_all();
    }
  }

  std::vector<std::thread> threads_;
  std::atomic<std::uint32_t> run_ = 0;     ///< number of the latest run
  std::atomic<std::uint64_t> next_ = 0;    ///< run number, next piece
  std::atomic<std::uint32_t> pieces_ = 0;  ///< of the latest run
  std::atomic<std::uint32_t> done_ = 0;    ///< pieces of it that are finished
  std::atomic<bool> stopping_ = false;
  const FunctionRef<void(std::int64_t)>* body_ = nullptr;
  std::int64_t count_ = 0;
  std::int64_t grain_ = 1;
  std::mutex guard_;
  std::exception_ptr failure_;
};

/// The calling thread's wish, 0 for none, and its team.
struct Caller {
  int wanted = 0;
  std::unique_ptr<Team> team;
};

Caller& caller() {
  thread_local Caller mine;
  return mine;
}

}  // namespace

int num_threads() {
  const int wanted = caller().wanted;
  return wanted > 0 ? wanted : std::max(1, omp_get_max_threads());
}

void set_num_threads(int count) {
  constexpr int kMost = 4096;
  if (count < 0 || count > kMost) {
    throw ArgumentError(
        fmt::format("{} threads were asked for: it can be 1 to {}, or 0", count, kMost));
  }
  caller().wanted = count;
}

bool in_parallel() { return membership().in_parallel; }

int worker_index() { return membership().worker; }

void parallel_for(std::int64_t count, std::int64_t grain, FunctionRef<void(std::int64_t)> body) {
  const int members = num_threads();
  if (count <= grain || members == 1 || in_parallel()) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  auto& mine = caller();
  if (!mine.team || mine.team->members() != members) {
    mine.team.reset();
    mine.team = std::make_unique<Team>(members);
  }
  mine.team->run(count, std::max<std::int64_t>(grain, 1), body);
}

}  // namespace cloze
