/// \file
/// Where a system has MeCab's dictionaries: in packages of the distribution, in Python packages,
/// and where MeCab's own configuration says.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace cloze::text {

struct InstalledDictionary {
  std::filesystem::path directory;
  std::filesystem::path configuration{};  ///< the file of MeCab that names it; empty for none
};

/// The dictionary that MeCab's own configuration names ($MECABRC, ~/.mecabrc, /etc/mecabrc: the
/// first that is there); nothing without one.
[[nodiscard]] std::optional<InstalledDictionary> configured_dictionary();

/// The dictionary `name` ("ipadic", "unidic_lite", "unidic"): ipadic where distributions put it;
/// then the Python package of this name, in the environment that is active ($VIRTUAL_ENV,
/// $CONDA_PREFIX), the user's own packages, and the system's; an ipadic at last where MeCab's
/// configuration names one. Nothing where there is none. Throws as read_dictionary for one that is
/// configured and damaged.
[[nodiscard]] std::optional<InstalledDictionary> installed_dictionary(std::string_view name);

}  // namespace cloze::text
