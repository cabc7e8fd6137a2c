/// \file
/// The directory of a training run: its checkpoints, written so that a kill at any moment leaves a
/// whole one, and the settings that a resumed run must share. While a RunDirectory lives, no other
/// run has the directory (run_lock.h); what is written is listed (run_manifest.h), and what is not
/// listed is not removed.
///
///     OUTPUT/run.json           what was asked for
///     OUTPUT/run-files.json     the names of what the run wrote
///     OUTPUT/checkpoint-500/    a model directory, the optimizer's and trainer's state, checksums
///     OUTPUT/config.json, ...   the best (or last) model, as a model directory of its own
///     OUTPUT/tensorboard/       event files
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "train/run/checkpoint_files.h"
#include "train/run/takeover.h"

namespace cloze {

/// What to do with an output directory that holds something.
enum class ExistingRun : std::uint8_t {
  refuse,
  resume,  ///< go on from its newest whole checkpoint
  /// Remove what the earlier run wrote, and nothing else. A directory that holds something but no
  /// run is refused: what is in it is somebody else's.
  overwrite,
};

class RunDirectory {
 public:
  /// Makes the directory, or takes it up, and locks it. Nothing of an earlier run is removed before
  /// `begin`; a new directory that is still empty at the end is removed. Throws ArgumentError for
  /// one that is not empty (refuse), holds no run (resume), or is not empty and holds no run
  /// (overwrite), and IoError, also when another run has it.
  static RunDirectory open(const std::filesystem::path& path, ExistingRun existing);
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  RunDirectory(RunDirectory&&) noexcept;
  RunDirectory& operator=(RunDirectory&&) noexcept;
  ~RunDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path tensorboard() const { return path_ / "tensorboard"; }

  /// `run.json`: the settings that this run began with; empty for a new one.
  [[nodiscard]] const std::string& settings() const { return settings_; }
  /// The path of that file, for messages.
  [[nodiscard]] std::string settings_file() const;

  // How a new run takes the directory: everything is looked at first, and written last.

  /// Throws ArgumentError where the run would remove or replace one of its own `inputs`, or where
  /// something that no run wrote has one of the names of `files`, which the run writes besides
  /// checkpoints, event files and its settings.
  void require_takeable(const std::vector<RunInput>& inputs,
                        const std::vector<std::string>& files) const;
  /// Throws IoError when there is no room for a checkpoint and a model of so many parameters.
  void require_room(std::int64_t parameters) const;
  /// What `begin` will write: run.json, and before it the `files` by `write`.
  void plan(std::string settings, const std::vector<std::string>& files = {},
            std::function<void(const std::filesystem::path& run)> write = {});
  /// Removes what an earlier run wrote, and writes what is planned. Only the first call of a new
  /// run does anything; the others that write call it themselves. Throws IoError.
  void begin() const;

  /// Lists a file of the run that something else writes. Throws IoError.
  void add_file(const std::filesystem::path& file) const;

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
  /// by file, each whole and synced before it has its name. Throws IoError where that would replace
  /// what the run did not write.
  void publish(std::int64_t step) const;
  /// The same with the files that `write` puts into a temporary directory.
  void publish_files(const std::function<void(const std::filesystem::path&)>& write) const;

  /// Removes the checkpoints that superseded_checkpoints names.
  void prune(const Pruning& pruning, std::set<std::int64_t>& whole) const;

 private:
  struct Held;
  RunDirectory(std::filesystem::path path, std::unique_ptr<Held> held);
  void save_whole(std::int64_t step,
                  const std::function<void(const std::filesystem::path&)>& write) const;
  void publish_from(const std::filesystem::path& directory,
                    const std::vector<std::string>& names) const;
  void remove_checkpoint(std::int64_t step) const;
  /// Changes the directory by `change`, as long as it is there: an error because it is not says so.
  void while_held(const std::function<void()>& change) const;

  std::filesystem::path path_;
  std::string settings_;
  std::unique_ptr<Held> held_;
};

/// The `run.json` of a directory. Throws ArgumentError where there is no run, IoError.
[[nodiscard]] std::string read_run_settings(const std::filesystem::path& directory);
/// Its path, for messages.
[[nodiscard]] std::string run_settings_file(const std::filesystem::path& directory);

}  // namespace cloze
