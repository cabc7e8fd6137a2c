#include "train/run_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cloze/error.h"
#include "core/atomic_file.h"
#include "core/crc32c.h"
#include "core/json.h"
#include "core/mapped_file.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSettingsFile = "run.json";
constexpr std::string_view kPrefix = "checkpoint-";
// What `publish` puts beside the checkpoints, and `overwrite` removes.
constexpr std::array kModelFiles{"config.json",    "model.safetensors",        "vocab.txt",
                                 "tokenizer.json", "tokenizer_config.json",    "README.md",
                                 "modules.json",   "sentence_bert_config.json"};

[[noreturn]] void fail(const fs::path& path, std::string_view what, const std::error_code& error) {
  throw IoError(fmt::format("cannot {} {}: {}", what, path.string(), error.message()));
}

/// The bytes of files and directories reach the disk in the order of these calls.
void sync(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    const std::error_code error(errno, std::generic_category());
    if (fd >= 0) ::close(fd);
    // Some file systems refuse to sync a directory; what is in it is in place all the same.
    if (fs::is_directory(path)) return;
    fail(path, "sync", error);
  }
  ::close(fd);
}

std::vector<fs::path> files_of(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(directory, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error)) files.push_back(it->path());
  }
  if (error) fail(directory, "list", error);
  std::sort(files.begin(), files.end());
  return files;
}

std::uint32_t checksum_of(const fs::path& file) {
  const auto mapped = MappedFile::open(file);
  const auto bytes = mapped->bytes();
  constexpr std::size_t kPart = std::size_t{1} << 24;  // so that a large file is never all resident
  std::uint32_t crc = 0;
  for (std::size_t at = 0; at < bytes.size(); at += kPart) {
    const auto part = bytes.subspan(at, std::min(kPart, bytes.size() - at));
    crc = crc32c(part, crc);
    mapped->release(part);
  }
  return crc;
}

void write_checksums(const fs::path& directory) {
  nlohmann::ordered_json files;
  for (const auto& file : files_of(directory)) {
    files[file.lexically_relative(directory).string()] = {
        {"bytes", fs::file_size(file)}, {"crc32c", fmt::format("{:08x}", checksum_of(file))}};
  }
  AtomicFile out(directory / kChecksumFile);
  out.write(nlohmann::ordered_json{{"files", files}}.dump(2) + '\n');
  out.commit();
}

/// What is wrong with a checkpoint, empty for nothing.
std::string complaint_about(const fs::path& directory) {
  try {
    const auto file = MappedFile::open(directory / kChecksumFile);
    const auto json = parse_json_object(file->text(), (directory / kChecksumFile).string());
    for (const auto& [name, expected] : json.at("files").items()) {
      const auto path = directory / name;
      std::error_code error;
      const auto size = fs::file_size(path, error);
      if (error) return fmt::format("{} is missing", name);
      if (size != expected.at("bytes").get<std::uint64_t>()) {
        return fmt::format("{} has {} bytes instead of {}", name, size,
                           expected.at("bytes").get<std::uint64_t>());
      }
      const auto crc = fmt::format("{:08x}", checksum_of(path));
      if (crc != expected.at("crc32c").get<std::string>()) {
        return fmt::format("{} has the checksum {} instead of {}", name, crc,
                           expected.at("crc32c").get<std::string>());
      }
    }
  } catch (const Error& error) {
    return error.what();
  } catch (const nlohmann::json::exception& error) {
    return fmt::format("{} is not what it should be ({})", kChecksumFile, error.what());
  }
  return "";
}

std::optional<std::int64_t> step_of(const fs::path& directory) {
  const std::string name = directory.filename().string();
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const auto* begin = name.data() + kPrefix.size();
  const auto* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || stopped != end || step < 0) return std::nullopt;
  return step;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail(path, "remove", error);
}

/// What a run that was killed while it saved has left behind.
bool is_leftover(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".checkpoint-") && name.ends_with(".tmp");
}

}  // namespace

RunDirectory RunDirectory::open(const fs::path& path, ExistingRun existing) {
  if (existing != ExistingRun::resume) make_directory(path);
  RunDirectory run;
  run.path_ = path;
  std::error_code error;
  const bool has_run = fs::exists(path / kSettingsFile, error);
  const bool empty = fs::is_empty(path, error);
  if (existing == ExistingRun::refuse && has_run) {
    throw ArgumentError(fmt::format(
        "{} holds another run: continue it with --resume, replace it with --overwrite, or give "
        "another directory",
        path.string()));
  }
  if (existing == ExistingRun::refuse && !empty) {
    throw ArgumentError(
        fmt::format("{} is not empty: give a directory that is, or --overwrite", path.string()));
  }
  if (existing == ExistingRun::resume) {
    if (!has_run) {
      throw ArgumentError(
          fmt::format("{} holds no run to resume ({} is missing)", path.string(), kSettingsFile));
    }
    run.settings_ = std::string(MappedFile::open(path / kSettingsFile)->text());
  }
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(path)) {
    const bool checkpoint = step_of(entry.path()).has_value();
    if (is_leftover(entry.path()) || (existing == ExistingRun::overwrite && checkpoint)) {
      leftovers.push_back(entry.path());
    }
  }
  if (existing == ExistingRun::overwrite) {
    leftovers.push_back(path / kSettingsFile);
    leftovers.push_back(run.tensorboard());
    for (const auto* name : kModelFiles) leftovers.push_back(path / name);
  }
  for (const auto& leftover : leftovers) remove_tree(leftover);
  return run;
}

void RunDirectory::write_settings(std::string_view json) {
  AtomicFile file(path_ / kSettingsFile);
  file.write(json);
  file.commit();
  settings_ = std::string(json);
}

std::vector<std::int64_t> RunDirectory::checkpoints() const {
  std::vector<std::int64_t> steps;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto step = step_of(entry.path());
    if (step) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path RunDirectory::checkpoint(std::int64_t step) const {
  return path_ / fmt::format("{}{}", kPrefix, step);
}

std::optional<std::int64_t> RunDirectory::newest_whole(std::vector<std::string>& complaints) const {
  auto steps = checkpoints();
  std::reverse(steps.begin(), steps.end());
  for (const auto step : steps) {
    const auto complaint = complaint_about(checkpoint(step));
    if (complaint.empty()) return step;
    complaints.push_back(
        fmt::format("{} is damaged and not used: {}", checkpoint(step).string(), complaint));
  }
  return std::nullopt;
}

void RunDirectory::save(std::int64_t step,
                        const std::function<void(const fs::path&)>& write) const {
  const auto target = checkpoint(step);
  const auto temporary = path_ / fmt::format(".{}{}.tmp", kPrefix, step);
  remove_tree(temporary);
  try {
    make_directory(temporary);
    write(temporary);
    write_checksums(temporary);
    for (const auto& file : files_of(temporary)) sync(file);
    sync(temporary);
    remove_tree(target);  // of a run that was resumed from before it
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
  for (const auto& file : files_of(from)) {
    const auto name = file.filename().string();
    if (name == kOptimizerFile || name == kTrainerStateFile || name == kChecksumFile) continue;
    const auto temporary = path_ / fmt::format(".{}.tmp", name);
    std::error_code error;
    fs::remove(temporary, error);
    fs::create_hard_link(file, temporary, error);
    if (error) fs::copy_file(file, temporary, error);  // a file system without links
    if (error) fail(temporary, "write", error);
    fs::rename(temporary, path_ / name, error);
    if (error) fail(path_ / name, "write", error);
  }
  sync(path_);
}

void RunDirectory::prune(std::int64_t keep, std::span<const std::int64_t> others) const {
  const auto steps = checkpoints();
  const auto count = static_cast<std::int64_t>(steps.size());
  for (std::int64_t i = 0; i + keep < count; ++i) {
    const auto step = steps[static_cast<std::size_t>(i)];
    if (std::find(others.begin(), others.end(), step) == others.end())
      remove_tree(checkpoint(step));
  }
}

}  // namespace cloze
