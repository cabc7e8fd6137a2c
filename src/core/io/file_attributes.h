/// \file
/// What a file keeps when its content is replaced: mode, owner, access control list.
#pragma once

#include <filesystem>
#include <string>

#include <sys/stat.h>

namespace cloze {

/// Why the file may not be overwritten; empty where it may. As `cp` has it, a file that this user may
/// not write is not replaced either, although its directory would allow that. One that nobody may
/// write (mode 0444) is left alone for root too.
[[nodiscard]] std::string write_protection(const std::filesystem::path& path,
                                           const struct stat& status);

/// Gives the open file, which is to replace `path`, the mode of `path`, and its owner and access
/// control list where the system allows that. Returns an error number; 0 for none.
[[nodiscard]] int keep_attributes(int file, const std::filesystem::path& path,
                                  const struct stat& status);

}  // namespace cloze
