/// \file
/// Where Cloze keeps what it can make or fetch again.
#pragma once

#include <filesystem>
#include <optional>

#include "core/environment.h"

namespace cloze {

/// $CLOZE_CACHE, else $XDG_CACHE_HOME/cloze, else ~/.cache/cloze; nothing where no variable says
/// where that is. The folder need not exist.
[[nodiscard]] inline std::optional<std::filesystem::path> cache_folder() {
  if (const auto cache = environment_variable("CLOZE_CACHE")) return *cache;
  if (const auto cache = environment_variable("XDG_CACHE_HOME")) {
    return std::filesystem::path(*cache) / "cloze";
  }
  if (const auto home = environment_variable("HOME")) {
    return std::filesystem::path(*home) / ".cache" / "cloze";
  }
  return std::nullopt;
}

}  // namespace cloze
