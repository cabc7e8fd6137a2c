// How a run gets its directory: looked at, locked, looked at again; and taken when all is known.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"
#include "train/run/held_run.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// Whether the files of a run that never began are all that there is: then it can be made again.
bool is_unbegun(const fs::path& directory, const RunManifest& written) {
  if (files::exists(directory / kSettingsFile)) return false;
  const auto names = names_in(directory);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == kLockFile || written.is_leftover(name) ||
           (written.has(name) && !name.ends_with(".safetensors"));
  });
}

/// What an earlier run wrote in a directory that a run is to have. Throws as RunDirectory::open.
RunManifest look_at(const fs::path& path, ExistingRun existing) {
  if (!files::exists(path)) {
    if (existing == ExistingRun::resume) static_cast<void>(read_run_settings(path));
    return {};
  }
  auto entries = files::list(path);
  std::erase_if(entries, [](const fs::path& entry) {
    return entry.filename() == kLockFile || RunManifest().is_leftover(entry.filename());
  });
  if (existing == ExistingRun::resume) static_cast<void>(read_run_settings(path));
  if (entries.empty()) return {};
  auto written = RunManifest::of(path);
  if (existing == ExistingRun::resume) return written.value_or(RunManifest());
  if (existing == ExistingRun::refuse) {
    if (written && is_unbegun(path, *written)) return *std::move(written);
    if (written) {
      throw ArgumentError(
          fmt::format("{} holds another run: resume it, overwrite it, or give another directory",
                      excerpt_of_path(path)));
    }
    throw ArgumentError(
        fmt::format("{} is not empty: give a directory that is", excerpt_of_path(path)));
  }
  if (written) return *std::move(written);
  throw ArgumentError(
      fmt::format("{} is not empty and holds no run, and overwriting replaces only what a run "
                  "wrote: give a directory that is empty, or a run's",
                  excerpt_of_path(path)));
}

}  // namespace

void RunDirectory::Held::require_own(const std::vector<std::string>& names,
                                     const fs::path& directory) const {
  for (const auto& name : names) {
    if (!is_foreign(directory, written, name)) continue;
    throw IoError(fmt::format(
        "{} was not written by this run and is not replaced: move it away and go on with the run",
        excerpt_of_path(directory / name)));
  }
}

void RunDirectory::Held::list(const std::vector<std::string>& names, const fs::path& directory) {
  const auto known = [&](const std::string& name) { return written.has(name); };
  if (std::all_of(names.begin(), names.end(), known)) return;
  written.add(names);
  written.write(directory);
}

RunDirectory::RunDirectory(fs::path path, std::unique_ptr<Held> held)
    : path_(std::move(path)), held_(std::move(held)) {}
RunDirectory::RunDirectory(RunDirectory&&) noexcept = default;
RunDirectory& RunDirectory::operator=(RunDirectory&&) noexcept = default;
RunDirectory::~RunDirectory() = default;

RunDirectory RunDirectory::open(const fs::path& path, ExistingRun existing) {
  // Before anything is put into what may be no run's directory, and again when it is held. Where a
  // lock is, that its run goes on is said rather than what it has written so far.
  if (!files::exists(path / kLockFile)) static_cast<void>(look_at(path, existing));
  auto lock = RunLock::take(path);
  auto written = look_at(path, existing);
  RunDirectory run(path, std::make_unique<Held>(Held{std::move(lock), std::move(written)}));
  if (existing == ExistingRun::resume) {
    run.settings_ = run.held_->settings = read_run_settings(path);
    run.held_->begun = true;
    run.held_->written.remove_leftovers(path);
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
  return files::read_text(directory / kSettingsFile);
}

void RunDirectory::require_takeable(const std::vector<RunInput>& inputs,
                                    const std::vector<std::string>& files) const {
  auto all = files;
  all.emplace_back(kSettingsFile);
  all.emplace_back(kManifestFile);
  require_apart(path_, held_->written, inputs, all);
  require_free(path_, held_->written, all);
}

void RunDirectory::require_room(std::int64_t parameters) const {
  require_space(path_, held_->written, parameters);
}

void RunDirectory::plan(std::string settings, const std::vector<std::string>& files,
                        std::function<void(const fs::path& run)> write) {
  held_->settings = std::move(settings);
  held_->files = files;
  held_->write = std::move(write);
}

void RunDirectory::begin() const {
  auto& held = *held_;
  if (held.begun) return;
  held.lock.require_held();
  auto files = held.files;
  files.emplace_back(kManifestFile);
  if (!held.settings.empty()) files.emplace_back(kSettingsFile);
  held.require_own(files, path_);  // something may have come since all was looked at
  // Both runs' names are listed until those of the earlier one are gone.
  held.written.add(files);
  held.written.write(path_);
  held.written.remove_leftovers(path_);
  held.written.remove(path_, "");
  held.written.add(files);
  held.written.write(path_);
  if (held.write) held.write(path_);
  if (!held.settings.empty()) files::write_text(path_ / kSettingsFile, held.settings);
  held.begun = true;
}

void RunDirectory::add_file(const fs::path& file) const {
  begin();
  held_->list({file.lexically_relative(path_).string()}, path_);
}

}  // namespace cloze
