/// \file
/// What a library needs that compiles code at run time, as oneDNN does.
#pragma once

#include "core/threads/fork_gate.h"

namespace cloze {

/// Held while oneDNN makes engines, primitives or the code of products. oneDNN keeps them under
/// locks, and a thread that wants a primitive waits for another that is making it, so that no fork
/// may come in between. And where the system refuses memory for code, oneDNN 2 and 3 write to address
/// 0: that there is enough is looked at first.
class MakingCode {
 public:
  /// Throws std::bad_alloc where the system refuses the memory, and Error where it refuses code that
  /// is made at run time at all (SELinux, MemoryDenyWriteExecute of systemd).
  MakingCode();
  MakingCode(const MakingCode&) = delete;
  MakingCode& operator=(const MakingCode&) = delete;
  MakingCode(MakingCode&&) = delete;
  MakingCode& operator=(MakingCode&&) = delete;
  ~MakingCode();

 private:
  ForkPass pass_;
};

}  // namespace cloze
