/// \file
/// What a new run looks at before it takes a directory: nothing that it reads, and nothing that it
/// did not write, may be lost by it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "train/run/run_manifest.h"

namespace cloze {

/// A file or directory that a run reads.
struct RunInput {
  std::string setting;  ///< as messages call it: "vocab"
  std::filesystem::path path;
  bool with_all_below = false;  ///< of a directory, every file in it and below is read
};

/// Throws ArgumentError for an input that is the run's directory, holds it (where all below is
/// read), or lies in it where `written` (what is there of an earlier run) would be removed or one
/// of `files` (what the new run writes besides checkpoints) be put.
void require_apart(const std::filesystem::path& directory, const RunManifest& written,
                   const std::vector<RunInput>& inputs, const std::vector<std::string>& files);

/// Throws ArgumentError when something that no run wrote has a name that the new run needs, and
/// IoError when what was written cannot be removed.
void require_free(const std::filesystem::path& directory, const RunManifest& written,
                  const std::vector<std::string>& files);

/// Throws IoError when the disk has no room for a checkpoint and the model of so many parameters,
/// as an estimate, once what was `written` is removed.
void require_space(const std::filesystem::path& directory, const RunManifest& written,
                   std::int64_t parameters);

}  // namespace cloze
