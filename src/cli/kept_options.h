/// \file
/// Options of a run that its directory remembers (`run.json`), so that the run can be resumed with
/// what it began with.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cloze/error.h"
#include "core/json.h"

namespace cloze::cli {

/// An option as `run.json` has it: how it is read from and written to JSON.
template <class Options>
struct KeptOption {
  std::string_view name;  ///< without the dashes before it
  bool may_change = false;
  nlohmann::json (*get)(const Options&) = nullptr;
  void (*set)(Options&, const nlohmann::json&) = nullptr;
};

template <class Options, auto kMember>
constexpr KeptOption<Options> kept_option(std::string_view name, bool may_change = false) {
  return {name, may_change, [](const Options& options) { return nlohmann::json(options.*kMember); },
          [](Options& options, const nlohmann::json& value) { value.get_to(options.*kMember); }};
}

template <class Options>
nlohmann::ordered_json kept_json(std::span<const KeptOption<Options>> all, const Options& options) {
  nlohmann::ordered_json json;
  for (const auto& option : all) json[std::string(option.name)] = option.get(options);
  return json;
}

/// Takes up the saved settings of a run but for what the command line states, and says what that
/// changes. Throws UsageError for an option that may not change, FormatError.
template <class Options>
std::vector<std::string> take_up_kept(std::span<const KeptOption<Options>> all, Options& options,
                                      const CLI::App& app, const std::string& settings) {
  const auto saved = parse_json_object(settings, "run.json");
  std::vector<std::string> changes;
  for (const auto& option : all) {
    const std::string name(option.name);
    if (!saved.contains(name)) continue;
    if (app.count("--" + name) == 0) {
      try {
        option.set(options, saved.at(name));
      } catch (const nlohmann::json::exception& error) {
        throw FormatError(
            fmt::format("run.json: {} is not what it should be ({})", name, error.what()));
      }
      continue;
    }
    const auto given = option.get(options);
    if (given == saved.at(name)) continue;
    if (!option.may_change) {
      throw UsageError(fmt::format(
          "--{} was {} when the run began and cannot become {}: leave it out to go on, or begin "
          "another run",
          name, saved.at(name).dump(), given.dump()));
    }
    changes.push_back(
        fmt::format("--{} was {}, is {} from here on", name, saved.at(name).dump(), given.dump()));
  }
  return changes;
}

/// The name under which `run.json` has the fingerprint of the training data.
inline constexpr const char* kFingerprint = "data-fingerprint";

inline std::string fingerprint_text(std::uint64_t fingerprint) {
  return fmt::format("{:016x}", fingerprint);
}

/// Whether a run began with the data of this fingerprint.
inline bool began_with(const std::string& settings, std::uint64_t fingerprint) {
  return parse_json_object(settings, "run.json").value(kFingerprint, "") ==
         fingerprint_text(fingerprint);
}

}  // namespace cloze::cli
