/// \file
/// Runs of versions that did not list what they wrote (run_manifest.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cloze {

/// The names in `directory` that such a run has written, told by its `run.json` (or by the mark
/// that stood in its place at first); nothing where no such run is.
[[nodiscard]] std::optional<std::vector<std::string>> names_of_earlier_run(
    const std::filesystem::path& directory);

}  // namespace cloze
