#include "train/run/checkpoint_files.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/crc32c.h"
#include "core/io/files.h"
#include "core/io/input_file.h"
#include "core/json_fields.h"
#include "core/strings.h"
#include "train/run/run_manifest.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// The step of a checkpoint's trainer; nothing where it cannot be read.
std::optional<std::int64_t> step_of_trainer(const fs::path& checkpoint) {
  const auto text = files::text_if_readable(checkpoint / kTrainerStateFile);
  if (!text) return std::nullopt;
  try {
    const std::string origin(kTrainerStateFile);
    return required_json_whole(parse_json_object(*text, origin), "step", origin);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::uint32_t checksum_of(const fs::path& file) {
  std::uint32_t crc = 0;
  InputFile(file).for_each_part(
      [&crc](std::span<const std::byte> bytes) { crc = crc32c(bytes, crc); });
  return crc;
}

}  // namespace

void write_checksums(const fs::path& directory) {
  nlohmann::ordered_json list;
  for (const auto& file : files::list_recursively(directory)) {
    const auto bytes = files::size(file).value_or(0);
    list[file.lexically_relative(directory).string()] = {
        {"bytes", bytes}, {"crc32c", fmt::format("{:08x}", checksum_of(file))}};
  }
  files::write_text(directory / kChecksumFile,
                    nlohmann::ordered_json{{"files", list}}.dump(2) + '\n');
}

std::string complaint_about(const fs::path& directory) {
  try {
    const auto json = read_json_object(directory / kChecksumFile);
    const auto& listed = json.at("files");
    for (const auto name : {kOptimizerFile, kTrainerStateFile}) {
      if (!listed.contains(name)) return fmt::format("{} does not list {}", kChecksumFile, name);
    }
    for (const auto& [name, expected] : listed.items()) {
      const auto path = directory / name;
      const auto size = files::size(path);
      if (!size) return fmt::format("{} is missing", excerpt(name));
      const auto bytes = expected.at("bytes").get<std::int64_t>();
      if (*size != bytes)
        return fmt::format("{} has {} bytes instead of {}", excerpt(name), *size, bytes);
      const auto crc = fmt::format("{:08x}", checksum_of(path));
      if (crc != expected.at("crc32c").get<std::string>()) {
        return fmt::format("{} has the checksum {} instead of {}", excerpt(name), crc,
                           excerpt(expected.at("crc32c").get<std::string>()));
      }
    }
  } catch (const Error& error) {
    return error.what();
  } catch (const nlohmann::json::exception&) {
    return fmt::format("{} is no list of files with sizes and checksums", kChecksumFile);
  }
  return "";
}

bool holds_model_of(const fs::path& directory, const fs::path& checkpoint) {
  constexpr std::array kState{kOptimizerFile, kTrainerStateFile, kChecksumFile};
  try {
    for (const auto& file : files::list_recursively(checkpoint)) {
      const auto name = file.lexically_relative(checkpoint);
      if (std::find(kState.begin(), kState.end(), name.string()) != kState.end()) continue;
      const auto size = files::size(directory / name);
      if (!size) return false;
      if (name.extension() != ".safetensors") continue;
      if (size != files::size(file)) return false;
      if (checksum_of(directory / name) != checksum_of(file)) return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<CheckpointPlace> checkpoints_in(const fs::path& run) {
  std::vector<CheckpointPlace> found;
  for (const auto& entry : files::list(run)) {
    const auto number = step_of_checkpoint(entry.filename().string());
    if (number) found.push_back({entry, *number, step_of_trainer(entry).value_or(*number)});
  }
  std::sort(found.begin(), found.end(), [](const CheckpointPlace& a, const CheckpointPlace& b) {
    return a.step != b.step ? a.step > b.step : a.is_copy() < b.is_copy();
  });
  return found;
}

std::optional<fs::path> newest_whole_checkpoint(const fs::path& run,
                                                std::vector<std::string>& complaints) {
  for (const auto& place : checkpoints_in(run)) {
    const auto complaint = complaint_about(place.path);
    if (complaint.empty()) return place.path;
    complaints.push_back(
        fmt::format("{} is damaged and not used: {}", excerpt_of_path(place.path), complaint));
  }
  return std::nullopt;
}

std::vector<std::int64_t> superseded_checkpoints(const fs::path& run, const Pruning& pruning,
                                                 std::set<std::int64_t>& whole) {
  auto places = checkpoints_in(run);
  std::erase_if(places, [&](const CheckpointPlace& place) {
    return place.is_copy() || place.step > pruning.step;
  });
  if (static_cast<std::int64_t>(places.size()) <= pruning.keep) return {};
  const auto is_whole = [&](const CheckpointPlace& place) {
    if (whole.contains(place.step)) return true;
    if (!complaint_about(place.path).empty()) return false;
    whole.insert(place.step);
    return true;
  };
  std::vector<std::int64_t> superseded;
  std::int64_t kept = 0;
  for (const auto& place : places) {
    if (kept < pruning.keep && is_whole(place)) {
      ++kept;
    } else if (place.step != pruning.best) {
      superseded.push_back(place.step);
    }
  }
  return superseded;
}

}  // namespace cloze
