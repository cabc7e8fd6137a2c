/// \file
/// Settings as `run.json` keeps them, under the names of the command's options.
///
/// The settings of a kind of training are listed once, by a function
///
///     constexpr auto list = [](PretrainSettings& settings, auto& visit) {
///       visit("seed", settings.seed);                     // may not change when a run is resumed
///       visit("keep", settings.keep, kMayChange);
///     };
///
/// and written, read and compared by that list.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/text_corpus.h"
#include "cloze/training.h"
#include "core/json_fields.h"
#include "train/run/run_directory.h"

namespace cloze::internal {

inline constexpr bool kMayChange = true;

/// The name under which `run.json` has the fingerprint of the training data.
inline constexpr const char* kFingerprint = "data-fingerprint";

struct SavedSetting {
  std::string name;
  bool may_change = false;
  nlohmann::json value;
};

// How each type of setting stands in JSON.
template <class T>
requires std::is_arithmetic_v<T> nlohmann::json setting_json(const T& value) { return value; }
/// A text that is not UTF-8, as names of files may be, is an object: the text with replacements,
/// for people, and its bytes, so that the run finds its files again.
[[nodiscard]] nlohmann::json setting_json(const std::string& text);
void read_setting(const nlohmann::json& json, std::string& text);
inline void read_setting(const nlohmann::json& json, double& value) { json.get_to(value); }
template <std::integral T>
void read_setting(const nlohmann::json& json, T& value) {
  if constexpr (std::same_as<T, bool>) {
    json.get_to(value);
  } else {
    const auto number = whole_json_number<T>(json);
    if (!number) throw ArgumentError("a whole number is needed, and not one so large");
    value = *number;
  }
}

inline nlohmann::json setting_json(const std::filesystem::path& path) {
  return setting_json(path.string());
}
inline void read_setting(const nlohmann::json& json, std::filesystem::path& path) {
  std::string text;
  read_setting(json, text);
  path = text;
}

inline nlohmann::json setting_json(const std::vector<std::filesystem::path>& paths) {
  auto json = nlohmann::json::array();
  for (const auto& path : paths) json.push_back(setting_json(path));
  return json;
}
inline void read_setting(const nlohmann::json& json, std::vector<std::filesystem::path>& paths) {
  const auto names = json.get<std::vector<nlohmann::json>>();
  paths.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) read_setting(names[i], paths[i]);
}

/// A probability that may be left to the configuration: -1.
inline nlohmann::json setting_json(const std::optional<double>& value) {
  return value.value_or(-1.0);
}
inline void read_setting(const nlohmann::json& json, std::optional<double>& value) {
  const auto found = json.get<double>();
  value = found < 0 ? std::nullopt : std::optional(found);
}

/// An enumeration is its name.
template <class T>
requires std::is_enum_v<T> nlohmann::json setting_json(const T& value) {
  return std::string(name_of(value));
}
inline void read_setting(const nlohmann::json& json, OptimizerKind& value) {
  value = optimizer_from(json.get<std::string>());
}
inline void read_setting(const nlohmann::json& json, ScheduleKind& value) {
  value = schedule_from(json.get<std::string>());
}
inline void read_setting(const nlohmann::json& json, Precision& value) {
  value = precision_from(json.get<std::string>());
}
inline void read_setting(const nlohmann::json& json, DocumentBreak& value) {
  value = document_break_from(json.get<std::string>());
}
inline void read_setting(const nlohmann::json& json, LineKind& value) {
  value = line_kind_from(json.get<std::string>());
}

/// A switch that `run.json` has the other way round: `no-...`.
struct Negated {
  bool& value;
};
inline nlohmann::json setting_json(Negated negated) { return !negated.value; }
inline void read_setting(const nlohmann::json& json, Negated negated) {
  negated.value = !json.get<bool>();
}

/// What stands in `run.json` as one value and in the settings as something else: `get()` makes the
/// value, `set(value)` takes it.
template <class Get, class Set>
struct Converted {
  Get get;
  Set set;
};
template <class Get, class Set>
Converted(Get, Set) -> Converted<Get, Set>;
template <class Get, class Set>
nlohmann::json setting_json(const Converted<Get, Set>& setting) {
  return setting.get();
}
template <class Get, class Set>
void read_setting(const nlohmann::json& json, const Converted<Get, Set>& setting) {
  setting.set(json.get<std::invoke_result_t<Get>>());
}

/// The settings of a list, for `run.json`.
class SettingsWriter {
 public:
  template <class T>
  void operator()(std::string_view name, const T& value, bool may_change = false) {
    // Through the text of the file: a number that JSON has not, such as nan, is null there.
    settings_.push_back(
        {std::string(name), may_change, nlohmann::json::parse(setting_json(value).dump())});
  }
  [[nodiscard]] const std::vector<SavedSetting>& settings() const { return settings_; }

 private:
  std::vector<SavedSetting> settings_;
};

/// Takes over what a `run.json` has of a list; what it lacks stays as it is. Throws FormatError.
class SettingsReader {
 public:
  SettingsReader(const nlohmann::json& saved, std::string origin)
      : saved_(saved), origin_(std::move(origin)) {}

  template <class T>
  void operator()(std::string_view name, T&& value, bool /*may_change*/ = false) {
    const auto found = saved_.find(name);
    if (found == saved_.end()) return;
    try {
      read_setting(*found, std::forward<T>(value));
    } catch (const nlohmann::json::exception&) {
      throw FormatError(fmt::format("{}: \"{}\" is {}, which is of the wrong type", origin_, name,
                                    json_excerpt(*found)));
    } catch (const ArgumentError& error) {
      throw FormatError(
          fmt::format("{}: \"{}\" is {}: {}", origin_, name, json_excerpt(*found), error.what()));
    }
  }

 private:
  const nlohmann::json& saved_;
  std::string origin_;
};

/// The settings that fine-tuning and pre-training share. What changes the arithmetic of a step may
/// not change when a run is resumed; what a run costs and what it tells may.
template <class Visit>
void visit_training_settings(TrainingSettings& s, Visit& visit) {
  visit("dtype", s.precision);
  visit("schedule", s.schedule);
  visit("optimizer", s.optimizer.kind);
  visit("learning-rate", s.learning_rate);
  // One number: a share of the run below 1, steps from there on.
  visit("warmup", Converted{[&] { return s.warmup_steps > 0 ? s.warmup_steps : s.warmup_ratio; },
                            [&](double warmup) { s.set_warmup(warmup); }});
  visit("weight-decay", s.optimizer.weight_decay);
  visit("max-grad-norm", s.optimizer.max_grad_norm);
  visit("beta1", s.optimizer.beta1);
  visit("beta2", s.optimizer.beta2);
  visit("epsilon", s.optimizer.epsilon);
  visit("no-bias-correction", Negated{s.optimizer.bias_correction});
  visit("recompute", s.recompute, kMayChange);
  visit("seed", s.seed);
  visit("threads", s.threads, kMayChange);
  visit("log-every", s.log_every, kMayChange);
  visit("evaluate-every", s.evaluate_every, kMayChange);
  visit("save-every", s.save_every, kMayChange);
  visit("keep", s.keep, kMayChange);
}

/// The settings of `list`, for `run.json`.
template <class List, class Settings>
std::vector<SavedSetting> saved_by(const List& list, Settings settings) {
  SettingsWriter writer;
  list(settings, writer);
  return writer.settings();
}

/// The settings of `list` that a `run.json` has. Throws FormatError, which `origin` begins.
template <class Settings, class List>
Settings settings_from(const List& list, const std::string& run_json, const std::string& origin) {
  const auto saved = parse_json_object(run_json, origin);
  Settings settings;
  SettingsReader reader(saved, origin);
  list(settings, reader);
  return settings;
}

/// The settings of `list` that the run in a directory began with, to resume it. Throws IoError,
/// FormatError, ArgumentError where there is no run.
template <class Settings, class List>
Settings settings_to_resume(const List& list, const std::filesystem::path& run_directory) {
  auto settings = settings_from<Settings>(list, read_run_settings(run_directory),
                                          run_settings_file(run_directory));
  settings.output = run_directory;
  settings.resume = true;
  return settings;
}

/// `run.json`: the settings, and the fingerprint of the training data.
[[nodiscard]] std::string run_json(const std::vector<SavedSetting>& settings,
                                   std::uint64_t fingerprint);

/// Whether a run began with the data of this fingerprint. Throws FormatError, which `origin` begins.
[[nodiscard]] bool began_with(const std::string& run_json, std::uint64_t fingerprint,
                              const std::string& origin);

/// Compares the settings that a run is resumed with to those it `began` with, as far as its
/// `run.json` has them. Throws ArgumentError naming the setting that may not change; a note tells
/// of each other change. Throws FormatError, which `origin` begins.
void require_unchanged(const std::vector<SavedSetting>& given,
                       const std::vector<SavedSetting>& began, const std::string& run_json,
                       const std::string& origin, const TrainingCallbacks& callbacks);

}  // namespace cloze::internal
