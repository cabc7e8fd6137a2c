/// \file
/// A part of a test that runs in a child process.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <thread>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cloze::testing {

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

/// Whether a child of a process with several threads can go on; if not, why.
constexpr bool kForksWithThreads = !kThreadSanitizer && !kAddressSanitizer;
constexpr const char* kNoThreadsAfterFork =
    "sanitizers do not support a fork beside other threads: the thread sanitizer ends the child, "
    "and the address sanitizer's allocator may be locked in it for ever";

constexpr int kThrew = 200, kKilled = 201, kTimedOut = 202;  ///< exit codes of no body

enum class Ending { at_once, with_destructors };

/// Every second child ends with its destructors.
inline Ending ending_of(int child) {
  return child % 2 == 0 ? Ending::at_once : Ending::with_destructors;
}

/// What `body` returns, run in a fork of this process. A child that has not ended after a minute is
/// killed.
inline int in_child(const std::function<int()>& body, Ending ending = Ending::at_once) {
  std::fflush(nullptr);  // or the child would write it again
  const pid_t child = ::fork();
  if (child == 0) {
    int code = kThrew;
    try {
      code = body();
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "the child threw: %s\n", failure.what());
    }
    if (ending == Ending::with_destructors) std::exit(code);
    ::_exit(code);
  }
  using namespace std::chrono_literals;
  for (int wait = 0; wait < 60'000; ++wait) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled;
    }
    std::this_thread::sleep_for(1ms);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return kTimedOut;
}

}  // namespace cloze::testing
