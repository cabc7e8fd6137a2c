/// \file
/// What a run wrote in its directory, name by name: overwriting removes these files and no other.
///
///     OUTPUT/run-files.json      {"files": ["checkpoint-10/config.json", ..., "run.json"]}
///
/// A name is listed before its file appears, so that a kill at any moment leaves nothing of the run
/// that is not listed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

/// Names are relative to the run's directory, with slashes; that of a directory ends with one.
class RunManifest {
 public:
  RunManifest() = default;

  /// What the run in `directory` wrote: as its `run-files.json` says, or where that is missing,
  /// what versions before it are known to have written beside their `run.json`. Nothing where no run of
  /// Cloze is, whatever the files are called.
  [[nodiscard]] static std::optional<RunManifest> of(const std::filesystem::path& directory);

  [[nodiscard]] const std::set<std::string, std::less<>>& names() const { return names_; }
  [[nodiscard]] bool has(std::string_view name) const { return names_.contains(name); }

  /// Adds names, and the directories that they lie in.
  void add(const std::vector<std::string>& names);

  /// Writes `run-files.json`. Throws IoError.
  void write(const std::filesystem::path& directory) const;

  /// Removes the files at `under` (a name of a directory without its slash; empty: all), then the
  /// directories that have become empty, and forgets them. What is not listed stays, and so does
  /// what a link leads to. Throws IoError.
  void remove(const std::filesystem::path& directory, std::string_view under);

  /// Whether a name is that of what a killed run was writing, or lies below such: a checkpoint's
  /// ".checkpoint-10.tmp", the temporary of an AtomicFile or WholeDirectory for a listed name.
  [[nodiscard]] bool is_leftover(const std::filesystem::path& name) const;
  /// Removes such files. Throws IoError.
  void remove_leftovers(const std::filesystem::path& directory) const;

 private:
  [[nodiscard]] bool is_temporary(const std::filesystem::path& folder,
                                  const std::filesystem::path& part) const;

  std::set<std::string, std::less<>> names_;
};

/// Whether a file with this name is there that `manifest` has not, or something that is no regular
/// file, or lies behind a link.
[[nodiscard]] bool is_foreign(const std::filesystem::path& directory, const RunManifest& manifest,
                              std::string_view name);

/// The files in a directory and its empty directories, as names.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& directory);

/// N of "checkpoint-N"; nothing for any other name.
[[nodiscard]] std::optional<std::int64_t> step_of_checkpoint(std::string_view name);

/// What a run publishes: for pre-training `task` is empty. Large models have parts besides.
[[nodiscard]] std::vector<std::string> published_files(std::string_view task);

/// The files of a tokenizer's directory.
[[nodiscard]] const std::vector<std::string>& tokenizer_files();

inline constexpr std::string_view kCheckpointPrefix = "checkpoint-";
inline constexpr std::string_view kSettingsFile = "run.json";
inline constexpr std::string_view kManifestFile = "run-files.json";
/// Where files lie that are about to be published.
inline constexpr std::string_view kPublishedDirectory = ".published.tmp";
inline constexpr std::string_view kTokenizerDirectory = "tokenizer";

}  // namespace cloze
