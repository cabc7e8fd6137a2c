#include "train/run/run_manifest.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/files.h"
#include "core/io/whole_directory.h"
#include "core/json.h"
#include "core/numbers.h"
#include "train/run/earlier_runs.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles = "files";

/// Whether a name stays within the directory that it is relative to.
bool is_inside(const fs::path& name) {
  if (name.empty() || name.is_absolute()) return false;
  return std::none_of(name.begin(), name.end(), [](const fs::path& part) { return part == ".."; });
}

/// Nothing where there is no such file, or one that something else has written.
std::optional<std::vector<std::string>> names_listed_in(const fs::path& file) {
  const auto text = files::text_if_readable(file);
  if (!text) return std::nullopt;
  try {
    const auto json = parse_json_object(*text, file.string());
    auto names = json.at(kFiles).get<std::vector<std::string>>();
    std::erase_if(names, [](const std::string& name) { return !is_inside(name); });
    return names;
  } catch (const FormatError&) {
    return std::nullopt;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

fs::file_type type_of(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type();
}

/// Whether the directories between `directory` and a name in it are that, and no links.
bool is_reached_directly(const fs::path& directory, const fs::path& name) {
  auto path = directory;
  for (const auto& part : name.parent_path()) {
    path /= part;
    if (type_of(path) != fs::file_type::directory) return false;
  }
  return true;
}

bool is_directory_name(std::string_view name) { return name.ends_with('/'); }

}  // namespace

std::optional<RunManifest> RunManifest::of(const fs::path& directory) {
  RunManifest manifest;
  if (const auto names = names_listed_in(directory / kManifestFile)) {
    manifest.add(*names);
    manifest.add({std::string(kManifestFile)});
    return manifest;
  }
  const auto names = names_of_earlier_run(directory);
  if (!names) return std::nullopt;
  manifest.add(*names);
  return manifest;
}

void RunManifest::add(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    names_.insert(name);
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      names_.insert(name.substr(0, slash + 1));
  }
}

void RunManifest::write(const fs::path& directory) const {
  nlohmann::ordered_json json;
  json["about"] =
      "What a run of Cloze wrote here. Overwriting it removes these files and no other.";
  json[kFiles] = names_;
  files::write_text(
      directory / kManifestFile,
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
}

void RunManifest::remove(const fs::path& directory, std::string_view under) {
  const auto prefix = under.empty() ? std::string() : std::string(under) + '/';
  std::vector<std::string> removed;
  for (const auto& name : names_) {
    if (name.starts_with(prefix) && name != kManifestFile) removed.push_back(name);
  }
  // A run without its settings is not resumed from what is left when this is interrupted.
  std::stable_partition(removed.begin(), removed.end(),
                        [](const std::string& name) { return name == kSettingsFile; });
  for (const auto& name : removed) {
    if (is_directory_name(name) || !is_reached_directly(directory, name)) continue;
    if (type_of(directory / name) == fs::file_type::regular) files::remove(directory / name);
  }
  // Inner directories come after outer ones in the order of names.
  std::sort(removed.begin(), removed.end(), std::greater<>());
  for (const auto& name : removed) {
    names_.erase(name);
    if (!is_directory_name(name)) continue;
    const auto path = directory / name.substr(0, name.size() - 1);
    if (!is_reached_directly(directory, path.lexically_relative(directory) / "")) continue;
    std::error_code not_empty;
    fs::remove(path, not_empty);
  }
}

bool RunManifest::is_leftover(const fs::path& name) const {
  fs::path folder;
  for (const auto& part : name) {
    if (is_temporary(folder, part)) return true;
    folder /= part;
  }
  return false;
}

bool RunManifest::is_temporary(const fs::path& folder, const fs::path& part) const {
  constexpr std::string_view kEnd = ".tmp";
  const auto inside = [&](std::string_view file) {  // ".NAME.tmp"
    const bool hidden = file.starts_with('.') && file.ends_with(kEnd);
    return hidden ? file.substr(1, file.size() - 1 - kEnd.size()) : std::string_view();
  };
  const auto file = part.string();
  const auto whole = inside(file);
  if (whole.empty()) return false;
  if (WholeDirectory::is_temporary(part)) return true;
  if (folder.empty() && (file == kPublishedDirectory || step_of_checkpoint(whole))) return true;
  const auto listed = [&](std::string_view target) {
    const auto name = (folder / target).string();
    return target == kManifestFile || has(name) || has(name + '/');
  };
  return listed(whole) || listed(whole.substr(0, whole.rfind('.')));  // without the process
}

void RunManifest::remove_leftovers(const fs::path& directory) const {
  const auto remove_from = [&](const fs::path& inner) {
    if (!files::is_directory(directory / inner)) return;
    for (const auto& entry : files::list(directory / inner)) {
      if (is_leftover(inner / entry.filename())) files::remove_tree(entry);
    }
  };
  remove_from("");
  for (const auto& name : names_) {
    if (is_directory_name(name) && is_reached_directly(directory, fs::path(name))) {
      remove_from(name.substr(0, name.size() - 1));
    }
  }
}

bool is_foreign(const fs::path& directory, const RunManifest& manifest, std::string_view name) {
  auto path = directory;
  for (const auto& part : fs::path(name).parent_path()) {
    path /= part;
    const auto type = type_of(path);
    if (type == fs::file_type::not_found) return false;
    if (type != fs::file_type::directory) return true;
  }
  if (is_directory_name(name)) {
    const auto type = type_of(directory / name.substr(0, name.size() - 1));
    return type != fs::file_type::not_found && type != fs::file_type::directory;
  }
  const auto type = type_of(directory / name);
  return type != fs::file_type::not_found &&
         (type != fs::file_type::regular || !manifest.has(name));
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    auto name = entry->path().lexically_relative(directory).string();
    if (!entry->is_symlink(ignored) && entry->is_directory(ignored)) {
      if (fs::is_empty(entry->path(), ignored)) names.push_back(name + '/');
    } else {
      names.push_back(std::move(name));
    }
  }
  if (error) {
    throw IoError(fmt::format("cannot list {}: {}", excerpt_of_path(directory), error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::int64_t> step_of_checkpoint(std::string_view name) {
  if (!name.starts_with(kCheckpointPrefix)) return std::nullopt;
  const auto step = whole_number(name.substr(kCheckpointPrefix.size()));
  return step && *step >= 0 ? step : std::nullopt;
}

std::vector<std::string> published_files(std::string_view task) {
  std::vector<std::string> files{"config.json", "model.safetensors",
                                 "model.safetensors.index.json"};
  files.insert(files.end(), tokenizer_files().begin(), tokenizer_files().end());
  if (!task.empty()) files.emplace_back("README.md");
  for (const auto* keeper :
       {"sentence-embedding", "ranking", "regression", "text-classification"}) {
    if (task == keeper) files.emplace_back("config_sentence_transformers.json");
  }
  if (task == "sentence-embedding") {
    for (const auto* file :
         {"modules.json", "sentence_bert_config.json", "1_Pooling/config.json", "2_Normalize/"}) {
      files.emplace_back(file);
    }
  }
  return files;
}

const std::vector<std::string>& tokenizer_files() {
  static const std::vector<std::string> files{"tokenizer.json", "tokenizer_config.json",
                                              "vocab.txt"};
  return files;
}

}  // namespace cloze
