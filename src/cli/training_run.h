/// \file
/// What the commands that train share: how they speak, and stop on a signal.
#pragma once

#include <array>
#include <csignal>
#include <string>

#include "cli/options.h"
#include "cloze/training.h"

namespace cloze::cli {

/// A line on standard error.
void say(const std::string& text);

/// While it lives, the first SIGINT or SIGTERM is noted; a second one ends the process.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  StopOnSignal(StopOnSignal&&) = delete;
  StopOnSignal& operator=(StopOnSignal&&) = delete;
  ~StopOnSignal();

  [[nodiscard]] static bool requested();

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_{};
};

/// Messages and progress go to standard error; a signal stops the run.
void speak(TrainingCallbacks& callbacks);

/// 75 → "1:15".
[[nodiscard]] std::string clock_text(double seconds);

/// Reads the command line into `options`, by `add_options(app, options)`; where it says --resume,
/// on top of the settings that `settings_of` finds in the run's directory. False when it asked for
/// help. Throws UsageError.
template <class Options, class AddOptions, class SettingsOf>
bool parse_training(const char* about, const char* name, Arguments arguments, Options& options,
                    const AddOptions& add_options, const SettingsOf& settings_of) {
  const auto read = [&] {
    CLI::App app(about, name);
    add_options(app, options);
    return parse(app, arguments);
  };
  if (!read()) return false;
  auto& settings = options.settings;
  if (settings.output.empty()) throw UsageError("--output is missing: the directory of the run");
  if (!settings.resume) return true;
  settings = as_usage([&] { return settings_of(settings.output); });
  return read();
}

}  // namespace cloze::cli
