/// \file
/// What the commands that train share: how they speak, and stop on a signal.
#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/format.h"
#include "cli/options.h"
#include "cloze/training.h"

namespace cloze::cli {

/// A line on standard error.
void say(const std::string& text);

/// While it lives, signals that ask for an end are noted: SIGINT, SIGTERM, SIGHUP, SIGUSR1. Those
/// that were ignored when the command began (`nohup`, a job in the background) stay ignored. A
/// second SIGINT or SIGTERM ends the process at once. SIGHUP and SIGUSR1 come more than once by
/// themselves (the terminal and the shell both tell of its closing), and never end it.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  StopOnSignal(StopOnSignal&&) = delete;
  StopOnSignal& operator=(StopOnSignal&&) = delete;
  ~StopOnSignal();

  [[nodiscard]] static bool requested();

  /// Throws EndedBySignal if one of them came, but not for SIGUSR1: a scheduler that warns of the
  /// end with it wants to know that all is saved.
  static void rethrow();

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1};
  std::array<struct sigaction, kSignals.size()> before_{};
  std::array<std::byte, 1 << 16> stack_{};
  stack_t stack_before_{};
};

/// Messages and progress go to standard error; a signal stops the run.
void speak(TrainingCallbacks& callbacks);

/// A command that trains: what it says of itself, and the functions that do its work.
template <class Settings, class Result>
struct TrainingCommand {
  const char* about;
  const char* name;
  void (*add_options)(CLI::App& app, Settings& settings);
  /// The settings of the run in a directory, for --resume.
  Settings (*settings_of)(const std::filesystem::path& run);
  /// `watch` is for the callbacks to make when the training begins: before, a signal ends the
  /// process.
  Result (*train)(Settings& settings, std::optional<StopOnSignal>& watch);
  std::string (*summary)(const Result& result, const Settings& settings);
  nlohmann::ordered_json (*json)(const Result& result, const Settings& settings);
};

/// Reads the command line, trains, and prints what came of it. --resume begins with the settings of
/// the run in --output, and the command line changes them.
template <class Settings, class Result>
void run_training(const TrainingCommand<Settings, Result>& command, Arguments arguments) {
  Settings settings;
  bool json = false;
  const auto read = [&] {
    CLI::App app(command.about, command.name);
    command.add_options(app, settings);
    app.add_flag("--json", json, "the result as one JSON object");
    return parse(app, arguments);
  };
  if (!read()) return;
  if (settings.output.empty()) throw UsageError("--output is missing: the directory of the run");
  if (settings.resume) {
    settings = as_usage([&] { return command.settings_of(settings.output); });
    if (!read()) return;
  }
  std::optional<StopOnSignal> watch;
  const auto result = as_usage([&] { return command.train(settings, watch); });
  print(json ? json_text(command.json(result, settings)) : command.summary(result, settings));
  watch.reset();
  StopOnSignal::rethrow();
}

}  // namespace cloze::cli
