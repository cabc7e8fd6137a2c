#include "train/run/takeover.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checkpoint/model_files.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// A path without links, "." and "..", of which not all need be there.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  auto whole = fs::weakly_canonical(path, error);
  if (error) whole = fs::absolute(path, error).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

/// The name of `inner` relative to `outer`: empty for the same, nothing where it is elsewhere.
std::optional<std::string> name_within(const fs::path& inner, const fs::path& outer) {
  if (inner == outer) return "";
  const auto name = inner.lexically_relative(outer);
  if (name.empty() || *name.begin() == "..") return std::nullopt;
  return name.string();
}

/// Whether one of two names is the other, or lies below it.
bool overlap(std::string_view one, std::string_view other) {
  if (one.size() > other.size()) std::swap(one, other);
  if (!one.empty() && one.back() == '/') return other.starts_with(one);
  return other.starts_with(one) && (other.size() == one.size() || other[one.size()] == '/');
}

bool has_hidden_part(const fs::path& name) {
  return std::any_of(name.begin(), name.end(),
                     [](const fs::path& part) { return part.string().starts_with('.'); });
}

void require_apart(const fs::path& directory, const RunManifest& written, const RunInput& input,
                   const std::vector<std::string>& files) {
  if (input.path.empty()) return;
  const auto place = resolved(directory), read = resolved(input.path);
  const auto shown = excerpt_of_path(input.path);
  const auto name = name_within(read, place);
  if (name && name->empty()) {
    throw ArgumentError(fmt::format(
        "{} {} is the output directory of this run, which is not read and replaced at once: give "
        "another output",
        input.setting, shown));
  }
  if (input.with_all_below) {
    const auto below = name_within(place, read);
    if (below && !has_hidden_part(*below)) {
      throw ArgumentError(fmt::format(
          "the output {} lies in {} {}, so that what the run writes would be read as its text: "
          "give an output elsewhere",
          excerpt_of_path(directory), input.setting, shown));
    }
  }
  if (!name) return;
  const auto hit = [&](const std::string& other) { return overlap(*name, other); };
  if (step_of_checkpoint(fs::path(*name).begin()->string()) ||
      std::any_of(written.names().begin(), written.names().end(), hit) ||
      std::any_of(files.begin(), files.end(), hit)) {
    throw ArgumentError(fmt::format(
        "{} {} lies in the output directory where this run would remove or replace it: move it, or "
        "give another output",
        input.setting, shown));
  }
}

[[noreturn]] void refuse_foreign(const fs::path& directory, std::string_view name) {
  throw ArgumentError(fmt::format(
      "{} is not of the run that is to be overwritten, and is in the way of the new one: move it "
      "away, or give another output",
      excerpt_of_path(directory / name)));
}

}  // namespace

void require_apart(const fs::path& directory, const RunManifest& written,
                   const std::vector<RunInput>& inputs, const std::vector<std::string>& files) {
  for (const auto& input : inputs) require_apart(directory, written, input, files);
}

void require_free(const fs::path& directory, const RunManifest& written,
                  const std::vector<std::string>& files) {
  for (const auto& name : files) {
    if (is_foreign(directory, written, name)) refuse_foreign(directory, name);
  }
  for (const auto& entry : files::list(directory)) {
    const auto name = entry.filename().string();
    if (is_weight_shard(name) && !written.has(name)) refuse_foreign(directory, name);
    if (!step_of_checkpoint(name)) continue;
    std::error_code ignored;
    if (fs::symlink_status(entry, ignored).type() != fs::file_type::directory) {
      refuse_foreign(directory, name);
    }
    for (const auto& inside : names_in(entry)) {
      const auto whole = fmt::format("{}/{}", name, inside);
      if (!written.has(whole)) refuse_foreign(directory, whole);
    }
  }
  for (const auto& name : written.names()) {
    const auto path = (directory / name).parent_path();
    if (!files::exists(directory / name) || ::access(path.c_str(), W_OK | X_OK) == 0) continue;
    throw IoError(fmt::format("cannot remove {}: {}", excerpt_of_path(directory / name),
                              std::generic_category().message(errno)));
  }
}

void require_space(const fs::path& directory, const RunManifest& written, std::int64_t parameters) {
  struct statvfs disk {};
  // Some file systems do not know their size.
  if (::statvfs(directory.c_str(), &disk) != 0 || disk.f_blocks == 0) return;
  auto room = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  for (const auto& name : written.names()) {
    if (!name.ends_with('/')) {
      room += static_cast<double>(files::size(directory / name).value_or(0));
    }
  }
  // A value and two moments in the checkpoint, and the value in the model again.
  constexpr double kBytes = 4 * 4;
  const auto needed = kBytes * static_cast<double>(parameters);
  if (room >= needed) return;
  constexpr double kMega = 1e6;
  throw IoError(
      fmt::format("{} has room for {:.0f} MB, and a checkpoint and the model take about {:.0f} MB: "
                  "make room, or give another output",
                  excerpt_of_path(directory), room / kMega, needed / kMega));
}

}  // namespace cloze
