#include "cli/memory_faults.h"

#include <csignal>
#include <string_view>

#include <unistd.h>

#include "cloze/memory_faults.h"
#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr std::string_view sentence =
    "error: there is not enough memory for the code of a matrix product: free some, or raise the "
    "limit of this process (ulimit -v)\n";

extern "C" void on_segmentation_fault(int signal, siginfo_t* info, void* /*context*/) {
  if (is_out_of_memory(info->si_addr)) {
    remove_temporaries();
    static_cast<void>(!::write(STDERR_FILENO, sentence.data(), sentence.size()));
    ::_exit(1);
  }
  ::signal(signal, SIG_DFL);  // the access is tried again, and ends the process
}

}  // namespace

void handle_memory_faults() {
  survive_cut_files();
  struct sigaction action {};
  action.sa_sigaction = on_segmentation_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace cloze::cli
