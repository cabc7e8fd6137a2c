/// \file
/// What the command does about faults of memory that are not its own (cloze/memory_faults.h).
#pragma once

namespace cloze::cli {

/// From here on a model file that is cut short while it is in use is an error like any other, and
/// memory that oneDNN was refused ends the command with a sentence and exit code 1.
void handle_memory_faults();

}  // namespace cloze::cli
