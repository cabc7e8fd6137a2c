/// \file
/// The executor that all threads of the process share, and its size.
#pragma once

#include <memory>
#include <string_view>

namespace cloze {

class Executor;

/// What `set_num_threads` said, else the default. Throws as `num_threads` does.
[[nodiscard]] int process_threads();

/// The executor of that size, made when first asked for. Who has it may use it to the end, whatever
/// the process's number becomes.
[[nodiscard]] std::shared_ptr<Executor> process_executor();

/// Lets thread_status() tell that the system refused threads which are not the executor's.
void note_missing_threads(int wanted, int running, std::string_view cause);

/// Keeps the executor from ever being destroyed: its threads cannot be joined here. They are the
/// parent's in the child of a fork, and they still compute where a run ends the process.
void leave_behind(const std::shared_ptr<Executor>& executor);

}  // namespace cloze
