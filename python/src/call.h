/// \file
/// How the module calls the library: without the GIL, with signals held back, and with a look at
/// them between the pieces of the work.
#pragma once

#include <chrono>
#include <csignal>
#include <exception>
#include <thread>
#include <type_traits>
#include <utility>

#include "cloze/progress.h"
#include "python/src/bind.h"

namespace cloze::python {

/// Holds back the signals of the calling thread while it lives. The kernels that oneDNN generates
/// keep values below the stack pointer, where the system would write what it calls a handler with:
/// a SIGINT or SIGALRM at the wrong moment would change results. Faults are not held back.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  HeldSignals(HeldSignals&&) = delete;
  HeldSignals& operator=(HeldSignals&&) = delete;
  ~HeldSignals();

  /// Lets those through that wait, now and on this thread's stack: for a moment at which no kernel
  /// runs.
  void let_through() const;

 private:
  sigset_t before_{};
};

/// One call into the library.
class Call {
 public:
  /// `progress` is None, or called with (stage, done, total, unit) now and then; what it raises
  /// ends the call.
  explicit Call(nb::object progress = nb::none()) : progress_(std::move(progress)) {}

  /// Runs `work` without the GIL and with signals held back. What Python raised meanwhile (a
  /// KeyboardInterrupt, or an exception of the progress callback) is raised here.
  template <class Work>
  auto run(Work&& work) -> std::invoke_result_t<Work> {
    const nb::gil_scoped_release without_gil;
    const HeldSignals held;
    held_ = &held;
    try {
      return std::forward<Work>(work)();
    } catch (...) {
      if (raised_) std::rethrow_exception(raised_);
      throw;
    }
  }

  /// For the library: tells Python of the progress, and cancels where Python raised something.
  /// Must not outlive the call.
  [[nodiscard]] ProgressCallback callback();

  /// The same between two pieces of work without progress: false where the work must end.
  [[nodiscard]] bool go_on();

  /// Whether a signal raised something after what `go_on` found: the user asks again.
  [[nodiscard]] bool asked_again();

  /// Raises what `run` would have, where the work ended in order nevertheless.
  void raise_pending() const {
    if (raised_) std::rethrow_exception(raised_);
  }

  /// Calls `python` with the GIL; false, and the end of the call, where it raised something.
  template <class Function>
  bool with_python(Function&& python) {
    if (raised_) return false;
    const nb::gil_scoped_acquire gil;
    try {
      std::forward<Function>(python)();
    } catch (...) {
      raised_ = std::current_exception();
    }
    return !raised_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  nb::object progress_;
  const HeldSignals* held_ = nullptr;
  std::thread::id thread_ = std::this_thread::get_id();
  Clock::time_point looked_ = Clock::now();
  std::exception_ptr raised_;
};

}  // namespace cloze::python
