/// \file
/// One run at a time: the lock that a run holds on its directory, and the proof that the directory
/// is still the one that it began in.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/io/descriptor.h"

namespace cloze {

/// Held from `take` until it is destroyed, or the process ends in whatever way: the system lets go
/// of it then. Two in one process exclude each other, too.
///
/// The lock is a file in the directory, `.run-lock`, which says which process of which host has it.
/// The file is removed at the end; what a killed process leaves is no lock. Only where the file
/// system has no locks, or a network file system's may not reach the other host, does the content
/// count, and the error says what to do when that process is gone.
class RunLock {
 public:
  /// Makes the directory if need be. Throws IoError: "DIR is in use by process N on HOST ...".
  [[nodiscard]] static RunLock take(const std::filesystem::path& directory);

  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  RunLock(RunLock&&) noexcept = default;
  RunLock& operator=(RunLock&&) = delete;
  /// Lets go of the lock. A directory that `take` made and that is still empty is removed.
  ~RunLock();

  /// Throws IoError when the name of the directory no longer leads to the one that was locked,
  /// because somebody has removed it or moved it away; or when the lock's file was removed and
  /// another run has the directory now.
  void require_held();

 private:
  explicit RunLock(std::filesystem::path directory);
  /// Whether the lock is had now; false: the file has changed meanwhile, and another try is needed.
  [[nodiscard]] bool try_to_take();
  /// Whether the lock's name leads to this file.
  [[nodiscard]] bool names(const Descriptor& file) const;

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  // directories, the innermost first
  Descriptor directory_;
  Descriptor file_;  // open while the lock is had
};

/// The name of the lock's file.
inline constexpr std::string_view kLockFile = ".run-lock";

}  // namespace cloze
