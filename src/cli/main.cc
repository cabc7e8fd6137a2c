/// \file
/// `cloze`: every command under one name. Exit codes: 0 done, 1 failed, 2 wrong usage;
/// 128 + the number of a signal that ended a training, which is saved.
#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/memory_faults.h"
#include "cli/process.h"
#include "cloze/error.h"
#include "cloze/memory_faults.h"
#include "cloze/output.h"
#include "cloze/threads.h"
#include "cloze/version.h"

namespace {

using cloze::cli::Arguments;

constexpr std::string_view about = "Cloze: BERT, whole. Text in, understanding out.";

/// The one line about a failure, whatever the message held. Of one that holds a value without end
/// the beginning and the end are shown: what it is about, and what to do.
int fail(int code, std::string message) {
  constexpr std::size_t longest = 1800, kept_at_end = 300;
  if (message.size() > longest) {
    const auto boundary = [&message](std::size_t at) {  // of a character of UTF-8
      while (at > 0 && (static_cast<unsigned char>(message[at]) & 0xC0U) == 0x80U) --at;
      return at;
    };
    const auto begin = boundary(longest - kept_at_end);
    message.replace(begin, boundary(message.size() - kept_at_end) - begin, " ... ");
  }
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  while (message.ends_with(' ')) message.pop_back();
  try {
    fmt::print(stderr, "error: {}\n", message);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): nowhere left to say it
  }
  return code;
}

/// The results are right with fewer threads, so this is no failure.
void tell_of_missing_threads() {
  try {
    const auto status = cloze::thread_status();
    if (!status.problem.empty()) fmt::print(stderr, "warning: {}\n", status.problem);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the command used no threads
  }
}

/// Ends as by the signal, so that a shell's script ends where its command was interrupted, and a
/// scheduler sees what it did. Returns the exit code that shells make of it where the signal does
/// not end the process: it is blocked, or this is the first process of a container.
int end_by(int signal) {
  std::signal(signal, SIG_DFL);
  (void)std::raise(signal);
  return 128 + signal;
}

void run(Arguments arguments) {
  if (!arguments.empty() && std::string_view(arguments.front()) == "--version") {
    cloze::cli::print(fmt::format("cloze {}\n", cloze::version()));
    return;
  }
  cloze::cli::dispatch("cloze", about, cloze::cli::commands(), arguments);
}

}  // namespace

int main(int argc, char** argv) {
  cloze::cli::prepare_process();
  cloze::cli::handle_memory_faults();
  try {
    run(Arguments(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
    cloze::require_no_cut_file();
    tell_of_missing_threads();
    return 0;
  } catch (const cloze::ClosedPipe&) {
    return 0;
  } catch (const cloze::cli::EndedBySignal& end) {
    tell_of_missing_threads();
    return end_by(end.signal());
  } catch (const cloze::cli::UsageError& error) {
    return fail(2, error.what());
  } catch (const std::bad_alloc&) {
    return fail(1, "there is not enough memory");
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
}
