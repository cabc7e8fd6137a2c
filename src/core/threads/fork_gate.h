/// \file
/// Keeps fork() away from moments that its child could not go on from. The child has one thread: a
/// lock that another thread held at the fork stays locked there for ever.
#pragma once

namespace cloze {

/// While one lives, no thread of the process forks: a fork that has begun waits for it. Hold it
/// around a short use of a lock, of Cloze or of another library, that the child may need too. It
/// may be nested. The thread that holds it must not fork.
class ForkPass {
 public:
  ForkPass();
  ForkPass(const ForkPass&) = delete;
  ForkPass& operator=(const ForkPass&) = delete;
  ForkPass(ForkPass&&) = delete;
  ForkPass& operator=(ForkPass&&) = delete;
  ~ForkPass();
};

}  // namespace cloze
