/// \file
/// The checkpoints in a run's directory: which there are, of which step, and whether they are whole.
///
/// `checkpoint-N` is a checkpoint of step N. Where its trainer's state is of another step, somebody
/// has made a copy of a checkpoint under this name: a run can go on from it, but does not count it
/// among its own, and never removes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

/// Names of the files of a checkpoint that are no part of the model.
inline constexpr std::string_view kOptimizerFile = "optimizer.safetensors";
inline constexpr std::string_view kTrainerStateFile = "trainer_state.json";
inline constexpr std::string_view kChecksumFile = "checksums.json";

/// Writes `checksums.json`: the size and checksum of every file in the directory. Throws IoError.
void write_checksums(const std::filesystem::path& directory);

/// What is wrong with a checkpoint that has such a file; empty for nothing.
[[nodiscard]] std::string complaint_about(const std::filesystem::path& directory);

/// Whether each file of a checkpoint's model is in `directory`, and the weights are the checkpoint's
/// own: then that model was published there, and a person may have edited the rest. Not so where it
/// cannot be read.
[[nodiscard]] bool holds_model_of(const std::filesystem::path& directory,
                                  const std::filesystem::path& checkpoint);

/// A directory `checkpoint-N`.
struct CheckpointPlace {
  std::filesystem::path path;
  std::int64_t number = 0;  ///< N
  std::int64_t step = 0;    ///< of its trainer's state; N where that cannot be read
  [[nodiscard]] bool is_copy() const { return step != number; }
};

/// Those of a run's directory, the newest step first, of one step the copies last. Throws IoError.
[[nodiscard]] std::vector<CheckpointPlace> checkpoints_in(const std::filesystem::path& run);

/// The newest whole one. What is wrong with newer ones is added to `complaints`, a sentence each.
[[nodiscard]] std::optional<std::filesystem::path> newest_whole_checkpoint(
    const std::filesystem::path& run, std::vector<std::string>& complaints);

/// What is kept of a run's checkpoints.
struct Pruning {
  std::int64_t step = 0;   ///< that the run has come to, and saved
  std::int64_t keep = 1;   ///< newest whole ones
  std::int64_t best = -1;  ///< kept besides; -1: none
};

/// The steps of the checkpoints that are not kept. A damaged one is never among the newest, and goes
/// once the run has saved a later step. Those of later steps than the run's are no matter of its
/// own: a run that went on from an earlier one will write them anew. `whole` are the steps whose
/// checkpoints are known to be whole; others are looked at when they count, and added.
[[nodiscard]] std::vector<std::int64_t> superseded_checkpoints(const std::filesystem::path& run,
                                                               const Pruning& pruning,
                                                               std::set<std::int64_t>& whole);

}  // namespace cloze
