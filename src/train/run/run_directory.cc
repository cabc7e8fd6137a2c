#include "train/run/run_directory.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "train/run/held_run.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what, const std::error_code& error) {
  throw IoError(fmt::format("cannot {} {}: {}", what, excerpt_of_path(path), error.message()));
}

std::optional<std::int64_t> step_of(const fs::path& directory) {
  return step_of_checkpoint(directory.filename().string());
}

/// Makes a directory in one that must be there: a run's directory that was removed stays so.
void make_inner_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directory(directory, error);
  if (error) fail(directory, "make directory", error);
}

/// Gives a directory that is in the way another name: what is left in it is not the run's.
void set_aside(const fs::path& directory) {
  for (int number = 1; files::exists(directory); ++number) {
    auto other = directory;
    other += fmt::format(".kept-{}", number);
    if (files::exists(other)) continue;
    std::error_code error;
    fs::rename(directory, other, error);
    if (error) fail(directory, "rename", error);
  }
}

}  // namespace

std::vector<std::int64_t> RunDirectory::checkpoints() const {
  std::vector<std::int64_t> steps;
  for (const auto& entry : files::list(path_)) {
    if (const auto step = step_of(entry)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path RunDirectory::checkpoint(std::int64_t step) const {
  return path_ / fmt::format("{}{}", kCheckpointPrefix, step);
}

std::optional<fs::path> RunDirectory::newest_whole(std::vector<std::string>& complaints) const {
  return newest_whole_checkpoint(path_, complaints);
}

void RunDirectory::while_held(const std::function<void()>& change) const {
  held_->lock.require_held();
  try {
    change();
  } catch (const IoError&) {
    held_->lock.require_held();
    throw;
  }
}

void RunDirectory::save(std::int64_t step,
                        const std::function<void(const std::filesystem::path&)>& write) const {
  begin();
  while_held([&] { save_whole(step, write); });
}

void RunDirectory::save_whole(
    std::int64_t step, const std::function<void(const std::filesystem::path&)>& write) const {
  if (!held_->settings.empty() && !files::exists(path_ / kSettingsFile)) {
    files::write_text(path_ / kSettingsFile, held_->settings);  // somebody has removed it
  }
  const auto target = checkpoint(step);
  const auto name = target.filename().string();
  const auto temporary = path_ / fmt::format(".{}.tmp", name);
  files::remove_tree(temporary);
  try {
    make_inner_directory(temporary);
    write(temporary);
    write_checksums(temporary);
    files::sync_directory(temporary);  // its files are on the disk: each was written so
    auto names = names_in(temporary);
    for (auto& file : names) file = fmt::format("{}/{}", name, file);
    held_->lock.require_held();
    remove_checkpoint(step);  // of a run that was resumed from before it
    held_->list(names, path_);
    set_aside(target);
    std::error_code error;
    fs::rename(temporary, target, error);
    if (error) fail(target, "rename into", error);
    files::sync_directory(path_);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

void RunDirectory::publish(std::int64_t step) const {
  begin();
  while_held([&] {
    const auto from = checkpoint(step);
    auto names = names_in(from);
    std::erase_if(names, [](const std::string& name) {
      return name == kOptimizerFile || name == kTrainerStateFile || name == kChecksumFile;
    });
    publish_from(from, names);
  });
}

void RunDirectory::publish_files(const std::function<void(const fs::path&)>& write) const {
  begin();
  while_held([&] {
    const auto temporary = path_ / kPublishedDirectory;
    files::remove_tree(temporary);
    try {
      make_inner_directory(temporary);
      write(temporary);
      publish_from(temporary, names_in(temporary));
    } catch (...) {
      std::error_code ignored;
      fs::remove_all(temporary, ignored);
      throw;
    }
    files::remove_tree(temporary);
  });
}

void RunDirectory::publish_from(const fs::path& directory,
                                const std::vector<std::string>& names) const {
  held_->require_own(names, path_);
  held_->list(names, path_);
  for (const auto& name : names) {
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      make_inner_directory(path_ / name.substr(0, slash));
    // Each has its name once it is whole and on the disk.
    if (!name.ends_with('/')) files::copy(directory / name, path_ / name);
  }
  files::sync_directory(path_);
}

void RunDirectory::remove_checkpoint(std::int64_t step) const {
  held_->written.remove(path_, checkpoint(step).filename().string());
}

void RunDirectory::prune(const Pruning& pruning, std::set<std::int64_t>& whole) const {
  while_held([&] {
    for (const auto step : superseded_checkpoints(path_, pruning, whole)) remove_checkpoint(step);
  });
}

}  // namespace cloze
