/// \file
/// Faults of memory that are no fault of the program: a mapped file that somebody cuts short, and
/// memory that the system refuses where oneDNN does not expect it.
///
/// Weights are read from mapped files, and the tables of embeddings stay there as long as the model
/// lives. Whoever replaces a model should write the new file beside the old one and rename it, as
/// all that Cloze writes is: then a program that uses the old one goes on with it. A file that is
/// written over in place is noticed: loading, and every computation with the model, throws IoError.
///
/// The library installs no handlers of signals by itself.
#pragma once

#pragma GCC visibility push(default)
namespace cloze {

/// Makes that hold at every moment. The system ends a process by SIGBUS that reads a mapped file
/// beyond its end; Cloze looks at the file before and after it reads, and this guards what is read
/// in between: a handler for SIGBUS puts zeros in place of what is gone from a file of Cloze's, and
/// the look afterwards throws IoError. Any other SIGBUS goes to the handler that was there before.
/// For a program to call once, at its start, if it wants that; `cloze` does.
void survive_cut_files();

/// Throws IoError, which names the file, once `survive_cut_files` had to put zeros into one: for a
/// program's end, before it says that all went well.
void require_no_cut_file();

/// For a handler of SIGSEGV: whether the calling thread read or wrote `address` because the system
/// refused memory for the code that oneDNN was making. Before it makes code there is a look whether
/// there is memory, which throws std::bad_alloc; this is for the case that it was taken in between.
/// The thread cannot go on.
[[nodiscard]] bool is_out_of_memory(const void* address) noexcept;

}  // namespace cloze

#pragma GCC visibility pop
