/// \file
/// How far a long call has come, told to whoever waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#pragma GCC visibility push(default)
namespace cloze {

/// The state of one stage of a call.
struct Progress {
  std::string_view stage;  ///< what is being done: "encoding", "reading the text"
  std::int64_t done = 0;   ///< units done so far
  std::int64_t total = 0;  ///< units in all; 0: not known
  std::string_view unit;   ///< what is counted: "texts", "bytes"
};

/// Told now and then while a call works, and once at the end of each stage; never by two threads at
/// the same time. Returning false cancels the call, which then throws `Cancelled`. The views are
/// valid during the call only. An empty callback is not called.
using ProgressCallback = std::function<bool(const Progress& progress)>;

}  // namespace cloze

#pragma GCC visibility pop
