#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "core/io/files.h"
#include "core/json.h"
#include "core/json_fields.h"

namespace cloze {
namespace {

using Json = nlohmann::json;

Json read_json(const std::filesystem::path& path) {
  return parse_json(files::read_text(path), path.string());
}

/// The pooling that a pooling module's configuration asks for.
Pooling read_pooling(const std::filesystem::path& path) {
  const auto config = read_json(path);
  std::string mode;
  if (config.contains("pooling_mode")) {
    mode = config.at("pooling_mode").get<std::string>();
  } else {
    constexpr std::string_view prefix = "pooling_mode_";
    for (const auto& [key, value] : config.items()) {
      if (!key.starts_with(prefix) || !value.is_boolean() || !value.get<bool>()) continue;
      if (!mode.empty()) mode += '+';
      mode += key.substr(prefix.size());
    }
  }
  if (mode == "cls" || mode == "cls_token") return Pooling::cls;
  if (mode == "mean" || mode == "mean_tokens") return Pooling::mean;
  if (mode == "max" || mode == "max_tokens") return Pooling::max;
  if (mode == "mean_sqrt_len" || mode == "mean_sqrt_len_tokens") return Pooling::mean_sqrt_len;
  if (mode == "weightedmean" || mode == "weightedmean_tokens") return Pooling::weighted_mean;
  if (mode == "lasttoken") return Pooling::last_token;
  throw ModelError(
      fmt::format("{} asks for the pooling {}, which Cloze does not have: choose "
                  "another pooling",
                  path.string(), in_quotes(mode)));
}

std::optional<std::int64_t> read_max_seq_length(const std::filesystem::path& path) {
  if (!files::exists(path)) return std::nullopt;
  const auto config = read_json(path);
  const auto length = json_field<double>(config, "max_seq_length", path.string());
  if (!length) return std::nullopt;
  if (*length < 1 || *length > std::numeric_limits<std::int32_t>::max() ||
      *length != std::floor(*length)) {
    throw FormatError(
        fmt::format("{}: max_seq_length is {}, no length of a text", path.string(), *length));
  }
  return static_cast<std::int64_t>(*length);
}

/// A module's place, which must lie inside the directory and be short enough for a path.
std::filesystem::path module_path(const std::filesystem::path& directory, const Json& module) {
  constexpr std::size_t kLongest = 255;
  const std::filesystem::path path(module.value("path", ""));
  if (path.is_absolute() || path.native().size() > kLongest ||
      std::find(path.begin(), path.end(), "..") != path.end()) {
    throw FormatError(fmt::format("{} names the module {}, which is not inside the directory",
                                  (directory / "modules.json").string(), in_quotes(path.string())));
  }
  return path.empty() ? directory : directory / path;
}

/// "Transformer" of "sentence_transformers.models.Transformer": whatever package it lives in.
std::string module_name(const Json& module) {
  const auto type = module.at("type").get<std::string>();
  return type.substr(type.rfind('.') + 1);
}

SentenceSettings read_settings(const std::filesystem::path& directory, const Json& modules) {
  SentenceSettings settings;
  for (const auto& module : modules) {
    const auto type = module.at("type").get<std::string>();
    const auto name = module_name(module);
    const auto path = module_path(directory, module);
    if (name == "Transformer") {
      settings.max_seq_length = read_max_seq_length(path / "sentence_bert_config.json");
    } else if (name == "Pooling") {
      settings.pooling = read_pooling(path / "config.json");
    } else if (name == "Dense" && !settings.normalize) {
      settings.dense.push_back(path);
    } else if (name == "Normalize") {
      settings.normalize = true;
    } else if (name != "Dropout") {  // which does nothing outside of training
      throw ModelError(
          fmt::format("{} has a module {}, which Cloze does not have: a pooling of your choice "
                      "gives the vectors before it",
                      (directory / "modules.json").string(), in_quotes(type)));
    }
  }
  return settings;
}

}  // namespace

std::filesystem::path transformer_directory(const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!files::exists(path)) return directory;
  try {
    for (const auto& module : read_json(path)) {
      if (module_name(module) == "Transformer") return module_path(directory, module);
    }
  } catch (const Json::exception& error) {
    throw FormatError(fmt::format("{} is not a list of modules: {}", path.string(),
                                  describe_json_error(error.what())));
  }
  return directory;
}

std::optional<SentenceSettings> sentence_settings(const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!files::exists(path)) return std::nullopt;
  const auto modules = read_json(path);
  try {
    return read_settings(directory, modules);
  } catch (const Json::exception& error) {
    throw FormatError(
        fmt::format("{} and what it names are not sentence-transformers' settings: {}",
                    path.string(), describe_json_error(error.what())));
  }
}

}  // namespace cloze
