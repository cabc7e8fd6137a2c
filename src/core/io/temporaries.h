/// \file
/// Names of what is being written, and the table of them for a process that a signal ends.
#pragma once

#include <csignal>
#include <filesystem>

namespace cloze {

/// A name for a temporary beside `target`, a file or directory: the process's id and a number make
/// one that is free unless a killed process of that id left it behind; then the next number is. A
/// long name is cut so that the temporary's fits.
[[nodiscard]] std::filesystem::path temporary_name(const std::filesystem::path& target, int number);

/// Numbers to try before giving up.
inline constexpr int kTemporaryNames = 1000;

/// Lists a temporary file or directory for `remove_temporaries` (cloze/output.h) while it lives. A
/// name that finds no room in the table, or is longer than paths are, is not listed.
class Temporary {
 public:
  Temporary() = default;
  explicit Temporary(const std::filesystem::path& path);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  Temporary(Temporary&& other) noexcept;
  Temporary& operator=(Temporary&& other) noexcept;
  ~Temporary() { reset(); }

  /// Takes the name off the list: it has been removed, or is none any more.
  void reset();

 private:
  int slot_ = -1;
};

/// While it lives, this thread does not run the handlers of SIGINT, SIGTERM, SIGHUP and SIGQUIT:
/// for the few renames that belong together.
class SignalsHeld {
 public:
  SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  SignalsHeld(SignalsHeld&&) = delete;
  SignalsHeld& operator=(SignalsHeld&&) = delete;
  ~SignalsHeld();

 private:
  sigset_t before_{};
};

}  // namespace cloze
