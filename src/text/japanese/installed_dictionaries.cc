#include "text/japanese/installed_dictionaries.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "cloze/error.h"
#include "core/environment.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "text/japanese/dictionary.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;

// Where distributions put ipadic in UTF-8.
constexpr std::array<const char*, 7> kIpadicDirectories{
    "/var/lib/mecab/dic/ipadic-utf8",    "/usr/share/mecab/dic/ipadic-utf8",
    "/usr/lib/mecab/dic/ipadic-utf8",    "/usr/lib64/mecab/dic/ipadic",
    "/usr/local/lib/mecab/dic/ipadic",   "/usr/lib/mecab/dic/ipadic",
    "/opt/homebrew/lib/mecab/dic/ipadic"};

/// What each Python of `prefix` has of packages: lib/python3.11/site-packages, or Debian's
/// dist-packages.
std::vector<fs::path> package_directories(const fs::path& prefix) {
  std::vector<fs::path> found;
  if (!files::is_directory(prefix / "lib")) return found;
  try {
    for (const auto& python : files::list(prefix / "lib")) {
      if (!python.filename().string().starts_with("python3")) continue;
      for (const auto* packages : {"site-packages", "dist-packages"}) {
        if (files::is_directory(python / packages)) found.push_back(python / packages);
      }
    }
  } catch (const IoError&) {  // one that this user may not read has nothing for them
  }
  std::reverse(found.begin(), found.end());  // the newest first
  return found;
}

std::optional<fs::path> of_python(std::string_view package) {
  std::vector<fs::path> prefixes;
  for (const auto* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (auto prefix = environment_variable(variable)) prefixes.emplace_back(*std::move(prefix));
  }
  if (const auto home = environment_variable("HOME"))
    prefixes.push_back(fs::path(*home) / ".local");
  prefixes.insert(prefixes.end(), {"/usr/local", "/usr"});
  for (const auto& prefix : prefixes) {
    for (const auto& packages : package_directories(prefix)) {
      auto directory = packages / package / "dicdir";
      if (files::exists(directory / "sys.dic")) return directory;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<InstalledDictionary> configured_dictionary() {
  std::vector<fs::path> files;
  if (const auto file = environment_variable("MECABRC")) files.emplace_back(*file);
  if (const auto home = environment_variable("HOME"))
    files.emplace_back(fs::path(*home) / ".mecabrc");
  for (const auto* file : {"/etc/mecabrc", "/usr/local/etc/mecabrc"}) files.emplace_back(file);
  for (const auto& file : files) {
    const auto text = files::text_if_readable(file);
    if (!text) continue;
    for (std::string_view rest = *text; !rest.empty();) {
      const auto line = trimmed(rest.substr(0, rest.find('\n')));
      rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
      const auto equals = line.find('=');
      if (equals == std::string_view::npos || trimmed(line.substr(0, equals)) != "dicdir") continue;
      std::string directory(trimmed(line.substr(equals + 1)));
      constexpr std::string_view here = "$(rcpath)";
      if (const auto at = directory.find(here); at != std::string::npos) {
        directory.replace(at, here.size(), file.parent_path().string());
      }
      return InstalledDictionary{directory, file};
    }
    return std::nullopt;  // MeCab reads the first that is there
  }
  return std::nullopt;
}

std::optional<InstalledDictionary> installed_dictionary(std::string_view name) {
  const bool ipadic = name == "ipadic";
  if (ipadic) {
    for (const auto* directory : kIpadicDirectories) {
      if (files::exists(fs::path(directory) / "sys.dic")) return InstalledDictionary{directory};
    }
  }
  if (auto directory = of_python(name)) return InstalledDictionary{*std::move(directory)};
  if (!ipadic) return std::nullopt;
  auto configured = configured_dictionary();
  if (configured && read_dictionary(configured->directory).is_ipadic()) return configured;
  return std::nullopt;
}

}  // namespace cloze::text
