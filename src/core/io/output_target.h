/// \file
/// What a path to write to stands for.
#pragma once

#include <filesystem>
#include <optional>

namespace cloze {

struct OutputTarget {
  /// The name that links lead to: of a file, or of one that is not there yet. Empty for links that
  /// lead round in a circle.
  std::filesystem::path path;
  /// The open descriptor of this process that the path means: N of /dev/fd/N.
  std::optional<int> descriptor{};
  /// A name below /proc, whose link is no path: it can be opened, not replaced.
  bool special = false;
};

[[nodiscard]] OutputTarget output_target(const std::filesystem::path& path);

}  // namespace cloze
