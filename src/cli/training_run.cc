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

StopOnSignal::StopOnSignal() {
  signalled = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = [](int) { signalled = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(kSignals.at(i), &action, &before_.at(i));
  }
}

StopOnSignal::~StopOnSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals.at(i), &before_.at(i), nullptr);
  }
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
