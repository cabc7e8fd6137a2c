#include "cli/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

#include "cloze/output.h"

namespace cloze::cli {
namespace {

void take_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // For what nobody does with it: using the stream is an error. The lowest free number is the one.
    const int wrong = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", wrong) < 0) static_cast<void>(::open("/", O_PATH));
  }
}

void end_by_signal(int signal) {
  remove_temporaries();
  // Its own effect again, as soon as this function returns: whoever waits learns of the signal.
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void clean_up_at_signals() {
  // A stack of its own: kernels that are generated at run time keep values below the stack pointer,
  // where the system would write what it calls a handler with.
  static std::array<std::byte, std::size_t{1} << 16> stack;
  const stack_t own{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  ::sigaltstack(&own, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = &end_by_signal;
    action.sa_flags = SA_ONSTACK;
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

void prepare_process() {
  take_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  clean_up_at_signals();
}

}  // namespace cloze::cli
