#include "core/threads/fork_gate.h"

#include <atomic>
#include <mutex>

#include <pthread.h>

namespace cloze {
namespace {

// std::shared_mutex would not do: glibc asks for the owner's thread id when it unlocks one, and in
// the child the thread has another.
constexpr unsigned kClosed = 1U << 31U;  ///< a fork waits or is under way

struct Gate {
  std::atomic<unsigned> state = 0;  ///< passes that live, and kClosed
  std::mutex forking;               ///< one fork at a time
};

Gate& gate() {
  static constinit Gate only;
  return only;
}

/// Passes of the calling thread.
unsigned& depth() {
  constinit thread_local unsigned mine = 0;
  return mine;
}

void prepare() {
  gate().forking.lock();
  auto& state = gate().state;
  state.fetch_or(kClosed);
  while (true) {
    const unsigned now = state.load();
    if (now == kClosed) return;
    state.wait(now);
  }
}

void reopen() {
  gate().state.fetch_and(~kClosed);
  gate().state.notify_all();
  gate().forking.unlock();
}

// Only a lack of memory makes it fail, and then the program has other troubles than a later fork.
[[maybe_unused]] const int registered = ::pthread_atfork(prepare, reopen, reopen);

}  // namespace

ForkPass::ForkPass() {
  if (depth()++ > 0) return;
  auto& state = gate().state;
  unsigned now = state.load();
  while (true) {
    if ((now & kClosed) != 0) {
      state.wait(now);
      now = state.load();
    } else if (state.compare_exchange_weak(now, now + 1)) {
      return;
    }
  }
}

ForkPass::~ForkPass() {
  if (--depth() > 0) return;
  auto& state = gate().state;
  if (state.fetch_sub(1) == kClosed + 1) state.notify_all();
}

}  // namespace cloze
