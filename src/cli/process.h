/// \file
/// What the process of a command is prepared for, before it opens anything.
#pragma once

namespace cloze::cli {

/// * Standard streams that were closed by whoever started the command: their numbers are taken, so
///   that no file gets them and is written to by mistake. Using them stays an error.
/// * A pipe that nobody reads, and a file that passes the size limit (ulimit -f), show as errors of
///   write(), so that unfinished files are removed on the way out.
/// * A signal that ends the command (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU) removes its
///   temporary files first. Signals that are ignored (nohup) stay ignored.
void prepare_process();

}  // namespace cloze::cli
