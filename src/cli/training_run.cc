#include "cli/training_run.h"

#include <cstddef>
#include <cstdio>

#include "cli/progress_bar.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

// A signal's handler can reach nothing but globals.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t signalled = 0;  // the signal that is told of in the end
volatile std::sig_atomic_t told_to_end = 0;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

void note(int signal) {
  const bool ends = signal == SIGINT || signal == SIGTERM;
  if (ends && told_to_end != 0) {
    remove_temporaries();
    std::signal(signal, SIG_DFL);
    (void)std::raise(signal);  // it ends the process when this handler returns
  }
  if (ends) told_to_end = 1;
  if (signalled == 0 || signalled == SIGUSR1) signalled = signal;
}

}  // namespace

void say(const std::string& text) {
  (void)std::fputs((text + '\n').c_str(), stderr);
  (void)std::fflush(stderr);
}

// The handler has a stack of its own: kernels that are generated at run time keep values below the
// stack pointer, where the system would write what it calls a handler with.
StopOnSignal::StopOnSignal() {
  signalled = 0;
  told_to_end = 0;
  const stack_t own{.ss_sp = stack_.data(), .ss_flags = 0, .ss_size = stack_.size()};
  ::sigaltstack(&own, &stack_before_);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals.at(i), nullptr, &before_.at(i));
    if (before_.at(i).sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_ONSTACK | SA_RESTART;
    sigaction(kSignals.at(i), &action, nullptr);
  }
}

StopOnSignal::~StopOnSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals.at(i), &before_.at(i), nullptr);
  }
  ::sigaltstack(&stack_before_, nullptr);
}

bool StopOnSignal::requested() { return signalled != 0; }

void StopOnSignal::rethrow() {
  if (signalled != 0 && signalled != SIGUSR1) throw EndedBySignal(signalled);
}

void speak(TrainingCallbacks& callbacks) {
  callbacks.should_stop = &StopOnSignal::requested;
  callbacks.progress = terminal_progress();
  callbacks.message = [](MessageKind kind, const std::string& text) {
    say((kind == MessageKind::note      ? "note: "
         : kind == MessageKind::warning ? "warning: "
                                        : "") +
        text);
  };
}

}  // namespace cloze::cli
