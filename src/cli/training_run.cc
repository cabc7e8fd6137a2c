#include "cli/training_run.h"

#include <cstddef>
#include <cstdio>

#include "cli/progress_bar.h"

namespace cloze::cli {
namespace {

// A signal's handler can reach nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t signalled = 0;

}  // namespace

void say(const std::string& text) {
  (void)std::fputs((text + '\n').c_str(), stderr);
  (void)std::fflush(stderr);
}

// The handler has a stack of its own: kernels that are generated at run time keep values below the
// stack pointer, where the system would write what it calls a handler with.
StopOnSignal::StopOnSignal() {
  signalled = 0;
  const stack_t own{.ss_sp = stack_.data(), .ss_flags = 0, .ss_size = stack_.size()};
  ::sigaltstack(&own, &stack_before_);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = [](int) { signalled = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_ONSTACK);
    sigaction(kSignals.at(i), &action, &before_.at(i));
  }
}

StopOnSignal::~StopOnSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals.at(i), &before_.at(i), nullptr);
  }
  ::sigaltstack(&stack_before_, nullptr);
}

bool StopOnSignal::requested() { return signalled != 0; }

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
