/// \file
/// The directory of a training run: its checkpoints, written so that a kill at any moment leaves a
/// whole one, and the settings that a resumed run must share.
///
///     OUTPUT/run.json           what was asked for
///     OUTPUT/checkpoint-500/    a model directory, the optimizer's and trainer's state, checksums
///     OUTPUT/config.json, ...   the best (or last) model, as a model directory of its own
///     OUTPUT/tensorboard/       event files
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "train/run/checkpoint_files.h"

namespace cloze {

/// What to do with an output directory that holds something.
enum class ExistingRun : std::uint8_t {
  refuse,
  resume,  ///< go on from its newest whole checkpoint
  /// Remove what the earlier run left, and nothing else. A directory that holds something but no
  /// run is refused: what is in it is somebody else's.
  overwrite,
};

class RunDirectory {
 public:
  /// Makes the directory, or takes it up. Throws ArgumentError for one that is not empty (refuse),
  /// holds no run (resume), or is not empty and holds no run (overwrite), and IoError.
  static RunDirectory open(const std::filesystem::path& path, ExistingRun existing);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }

  /// `run.json`: the settings that this run began with; empty for a new one.
  [[nodiscard]] const std::string& settings() const { return settings_; }
  void write_settings(std::string_view json);
  /// The path of that file, for messages.
  [[nodiscard]] std::string settings_file() const;

  /// Marks the directory as a run's before `run.json` can be written, so that a run which ends
  /// before that can be overwritten. `write_settings` removes the mark.
  void mark_begun() const;

  /// The steps of the checkpoints there are, ascending.
  [[nodiscard]] std::vector<std::int64_t> checkpoints() const;
  [[nodiscard]] std::filesystem::path checkpoint(std::int64_t step) const;

  /// The newest checkpoint whose every file has the checksum that it was written with. What is
  /// wrong with newer ones is added to `complaints`, a sentence each.
  [[nodiscard]] std::optional<std::filesystem::path> newest_whole(
      std::vector<std::string>& complaints) const;

  /// Makes the checkpoint of `step`: `write` fills a temporary directory, which is checksummed,
  /// synced and renamed into place. An exception on the way leaves everything as it was.
  void save(std::int64_t step,
            const std::function<void(const std::filesystem::path&)>& write) const;

  /// Puts copies of the model of a checkpoint (all but the training state) into OUTPUT itself, file
  /// by file, each whole and synced before it has its name.
  void publish(std::int64_t step) const;

  /// Removes the checkpoints that superseded_checkpoints names.
  void prune(const Pruning& pruning, std::set<std::int64_t>& whole) const;

 private:
  RunDirectory() = default;
  std::filesystem::path path_;
  std::string settings_;
};

/// The `run.json` of a directory. Throws ArgumentError where there is no run, IoError.
[[nodiscard]] std::string read_run_settings(const std::filesystem::path& directory);
/// Its path, for messages.
[[nodiscard]] std::string run_settings_file(const std::filesystem::path& directory);

}  // namespace cloze
