#include "python/src/call.h"

#include <nanobind/stl/string_view.h>

#include "cloze/error.h"

namespace cloze::python {
namespace {

// Python need not hear of every step, nor be asked about signals: this often is soon enough.
constexpr std::chrono::milliseconds between_looks{20};

}  // namespace

HeldSignals::HeldSignals() {
  sigset_t all;
  ::sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    ::sigdelset(&all, fault);
  }
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}

HeldSignals::~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void HeldSignals::let_through() const {
  sigset_t held;
  ::pthread_sigmask(SIG_SETMASK, &before_, &held);  // what waits is delivered before this returns
  ::pthread_sigmask(SIG_SETMASK, &held, nullptr);
}

bool Call::go_on() {
  // Python runs the handlers of signals on its main thread alone; a callback on one of the
  // library's threads has nothing to look for.
  if (std::this_thread::get_id() != thread_ || held_ == nullptr) return !raised_;
  const auto now = Clock::now();
  if (now - looked_ < between_looks) return !raised_;
  looked_ = now;
  held_->let_through();
  return with_python([] {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  });
}

bool Call::asked_again() {
  if (!raised_ || std::this_thread::get_id() != thread_ || held_ == nullptr) return false;
  held_->let_through();
  const nb::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() == 0) return false;
  PyErr_Clear();
  return true;
}

ProgressCallback Call::callback() {
  return [this, told = Clock::time_point()](const Progress& state) mutable {
    if (!go_on()) return false;
    if (progress_.is_none()) return true;
    const auto now = Clock::now();
    if (state.done != state.total && now - told < between_looks) return true;
    told = now;
    return with_python([&] { progress_(state.stage, state.done, state.total, state.unit); });
  };
}

}  // namespace cloze::python
