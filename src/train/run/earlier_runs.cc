#include "train/run/earlier_runs.h"

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

#include "checkpoint/model_files.h"
#include "cloze/error.h"
#include "core/io/files.h"
#include "core/json.h"
#include "train/run/run_directory.h"
#include "train/run/run_manifest.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr std::string_view kBegunFile = ".run-begun";
/// The settings of a run; nothing for what another program calls run.json.
std::optional<nlohmann::json> settings_in(const fs::path& file) {
  const auto text = files::text_if_readable(file);
  if (!text) return std::nullopt;
  try {
    auto json = parse_json_object(*text, file.string());
    // Every version wrote these.
    for (const auto* name : {"data-fingerprint", "learning-rate", "max-grad-norm", "save-every"}) {
      if (!json.contains(name)) return std::nullopt;
    }
    return json;
  } catch (const FormatError&) {
    return std::nullopt;
  }
}

bool is_event_file(std::string_view name) { return name.starts_with("events.out.tfevents."); }

/// The files of `directory`, which is called `name`, that are `wanted`.
template <class Wanted>
void append_files(const fs::path& directory, const std::string& name, const Wanted& wanted,
                  Names& names) {
  if (!files::is_directory(directory)) return;
  for (const auto& file : files::list(directory)) {
    const auto inside = file.filename().string();
    if (wanted(inside) && files::is_regular(file)) names.push_back(name + inside);
  }
}

}  // namespace

std::optional<Names> names_of_earlier_run(const fs::path& directory) {
  const auto settings = settings_in(directory / kSettingsFile);
  const bool begun = files::exists(directory / kBegunFile);
  if (!settings && (!begun || files::exists(directory / kSettingsFile))) return std::nullopt;
  Names names;
  if (begun) names.emplace_back(kBegunFile);
  const bool finetuned = settings && settings->contains("task");
  if (!finetuned) {
    for (const auto& file : tokenizer_files()) {
      names.push_back(std::string(kTokenizerDirectory) + '/' + file);
    }
  }
  if (!settings) return names;
  names.emplace_back(kSettingsFile);
  std::string task;
  if (finetuned && settings->at("task").is_string()) task = settings->at("task");
  const auto published = published_files(task);
  names.insert(names.end(), published.begin(), published.end());
  append_files(directory, "", is_weight_shard, names);
  append_files(directory / "tensorboard", "tensorboard/", is_event_file, names);
  const auto is_of_checkpoint = [&](std::string_view name) {
    return std::find(published.begin(), published.end(), name) != published.end() ||
           is_weight_shard(name) || name == kOptimizerFile || name == kTrainerStateFile ||
           name == kChecksumFile;
  };
  for (const auto& entry : files::list(directory)) {
    const auto name = entry.filename().string();
    const bool ours = files::exists(entry / kChecksumFile) || files::exists(entry / kOptimizerFile);
    if (ours && step_of_checkpoint(name)) append_files(entry, name + '/', is_of_checkpoint, names);
  }
  return names;
}

}  // namespace cloze
