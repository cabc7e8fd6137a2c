/// \file
/// What a directory holds, to see that nothing in it has changed.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/temp_directory.h"

namespace cloze::testing {

/// The files of a directory with their contents.
inline std::map<std::string, std::string> contents_of(const std::filesystem::path& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      contents[entry.path().lexically_relative(directory).string()] = read_file(entry.path());
    }
  }
  return contents;
}

}  // namespace cloze::testing
