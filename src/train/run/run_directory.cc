#include "train/run/run_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSettingsFile = "run.json";
constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kBegunFile = ".run-begun";
// What a run puts beside the checkpoints, and `overwrite` removes.
constexpr std::array kModelFiles{
    "config.json",    "model.safetensors",     "vocab.txt", "model.safetensors.index.json",
    "tokenizer.json", "tokenizer_config.json", "README.md", "modules.json",
    "1_Pooling",      "2_Normalize",           "tokenizer", "sentence_bert_config.json"};

[[noreturn]] void fail(const fs::path& path, std::string_view what, const std::error_code& error) {
  throw IoError(fmt::format("cannot {} {}: {}", what, excerpt_of_path(path), error.message()));
}

/// The bytes of files and directories reach the disk in the order of these calls.
void sync(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    const std::error_code error(errno, std::generic_category());
    if (fd >= 0) ::close(fd);
    // Some file systems refuse to sync a directory; what is in it is in place all the same.
    if (files::is_directory(path)) return;
    fail(path, "sync", error);
  }
  ::close(fd);
}

std::optional<std::int64_t> step_of(const fs::path& directory) {
  const std::string name = directory.filename().string();
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto step = whole_number(std::string_view(name).substr(kPrefix.size()));
  return step && *step >= 0 ? step : std::nullopt;
}

/// "model-00001-of-00002.safetensors", as `save_checkpoint` names the parts of a large model.
bool is_shard(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("model-") && name.ends_with(".safetensors") &&
         name.find("-of-") != std::string::npos;
}

/// A copy of `from` that has its name once it is whole and on the disk.
void copy_whole(const fs::path& from, const fs::path& to) {
  make_directory(to.parent_path());
  files::copy(from, to);
}

/// What a run that was killed while it wrote has left behind: ".NAME.tmp" of a checkpoint,
/// ".NAME.PROCESS-NUMBER.tmp" of an AtomicFile.
bool is_leftover(const fs::path& path) {
  const auto file = path.filename().string();
  if (!file.starts_with('.') || !file.ends_with(".tmp")) return false;
  const auto begins = [name = std::string_view(file).substr(1)](std::string_view other) {
    return name.starts_with(other);
  };
  return begins(kPrefix) || begins(kSettingsFile) || begins(kBegunFile) || begins("model-") ||
         std::any_of(kModelFiles.begin(), kModelFiles.end(), begins);
}

}  // namespace

RunDirectory RunDirectory::open(const fs::path& path, ExistingRun existing) {
  if (existing != ExistingRun::resume) make_directory(path);
  RunDirectory run;
  run.path_ = path;
  const bool has_run = files::exists(path / kSettingsFile);
  if (existing == ExistingRun::resume) run.settings_ = read_run_settings(path);
  const auto entries = files::list(path);
  if (existing == ExistingRun::refuse && has_run) {
    throw ArgumentError(fmt::format(
        "{} holds another run: resume it, overwrite it, or give another directory", path.string()));
  }
  if (existing == ExistingRun::refuse && !entries.empty()) {
    throw ArgumentError(fmt::format("{} is not empty: give a directory that is", path.string()));
  }
  const bool begun =
      has_run || std::any_of(entries.begin(), entries.end(), [](const fs::path& entry) {
        return entry.filename().string().find(kBegunFile) != std::string::npos;
      });
  if (existing == ExistingRun::overwrite && !begun && !entries.empty()) {
    throw ArgumentError(
        fmt::format("{} is not empty and holds no run, and overwriting replaces only what a run "
                    "wrote: give a directory that is empty, or a run's",
                    path.string()));
  }
  std::vector<fs::path> leftovers;
  for (const auto& entry : entries) {
    const bool overwritten =
        existing == ExistingRun::overwrite && (step_of(entry).has_value() || is_shard(entry));
    if ((begun && is_leftover(entry)) || overwritten) leftovers.push_back(entry);
  }
  if (existing == ExistingRun::overwrite) {
    if (files::is_directory(run.tensorboard())) {
      auto events = files::list(run.tensorboard());
      std::erase_if(events, [](const fs::path& file) {
        return !file.filename().string().starts_with("events.out.tfevents.");
      });
      leftovers.insert(leftovers.end(), events.begin(), events.end());
    }
    for (const auto* name : kModelFiles) leftovers.push_back(path / name);
    // Last, so that what is left of a removal that was interrupted can be removed again.
    leftovers.push_back(path / kSettingsFile);
    leftovers.push_back(path / kBegunFile);
  }
  for (const auto& leftover : leftovers) files::remove_tree(leftover);
  if (existing == ExistingRun::overwrite) {
    std::error_code ignored;
    fs::remove(run.tensorboard(), ignored);  // unless there is something else in it
  }
  return run;
}

std::string run_settings_file(const fs::path& directory) {
  return (directory / kSettingsFile).string();
}

std::string RunDirectory::settings_file() const { return run_settings_file(path_); }

std::string read_run_settings(const fs::path& directory) {
  if (!files::exists(directory / kSettingsFile)) {
    throw ArgumentError(fmt::format("{} holds no run to resume ({} is missing)",
                                    excerpt_of_path(directory), kSettingsFile));
  }
  return std::string(MappedFile::open(directory / kSettingsFile)->text());
}

void RunDirectory::mark_begun() const {
  files::write_text(path_ / kBegunFile, "A run of Cloze that has no run.json yet.\n");
}

void RunDirectory::write_settings(std::string_view json) {
  files::write_text(path_ / kSettingsFile, json);
  settings_ = std::string(json);
  files::remove_tree(path_ / kBegunFile);
}

std::vector<std::int64_t> RunDirectory::checkpoints() const {
  std::vector<std::int64_t> steps;
  for (const auto& entry : files::list(path_)) {
    if (const auto step = step_of(entry)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path RunDirectory::checkpoint(std::int64_t step) const {
  return path_ / fmt::format("{}{}", kPrefix, step);
}

std::optional<fs::path> RunDirectory::newest_whole(std::vector<std::string>& complaints) const {
  return newest_whole_checkpoint(path_, complaints);
}

void RunDirectory::save(std::int64_t step,
                        const std::function<void(const fs::path&)>& write) const {
  const auto target = checkpoint(step);
  const auto temporary = path_ / fmt::format(".{}{}.tmp", kPrefix, step);
  files::remove_tree(temporary);
  try {
    make_directory(temporary);
    write(temporary);
    write_checksums(temporary);
    for (const auto& file : files::list_recursively(temporary)) sync(file);
    sync(temporary);
    files::remove_tree(target);  // of a run that was resumed from before it
    std::error_code error;
    fs::rename(temporary, target, error);
    if (error) fail(target, "rename into", error);
    sync(path_);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

void RunDirectory::publish(std::int64_t step) const {
  const auto from = checkpoint(step);
  for (const auto& file : files::list_recursively(from)) {
    const auto name = file.lexically_relative(from);
    if (name == kOptimizerFile || name == kTrainerStateFile || name == kChecksumFile) continue;
    copy_whole(file, path_ / name);
  }
  sync(path_);
}

void RunDirectory::prune(const Pruning& pruning, std::set<std::int64_t>& whole) const {
  for (const auto step : superseded_checkpoints(path_, pruning, whole)) {
    files::remove_tree(checkpoint(step));
  }
}

}  // namespace cloze
