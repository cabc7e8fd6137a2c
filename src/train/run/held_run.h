/// \file
/// What a RunDirectory holds of its directory; for the files that implement it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "train/run/run_directory.h"
#include "train/run/run_lock.h"
#include "train/run/run_manifest.h"

namespace cloze {

struct RunDirectory::Held {
  RunLock lock;
  RunManifest written;  // of the earlier run until `begin`
  bool begun = false;
  std::string settings{};            // for run.json
  std::vector<std::string> files{};  // that `write` makes
  std::function<void(const std::filesystem::path&)> write{};

  /// Throws IoError for a name that is something else's.
  void require_own(const std::vector<std::string>& names,
                   const std::filesystem::path& directory) const;
  /// Lists names that are new.
  void list(const std::vector<std::string>& names, const std::filesystem::path& directory);
};

}  // namespace cloze
