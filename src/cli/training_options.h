/// \file
/// The options of the commands that train, and those that they share: the optimizer's, the
/// computation's, the run's.
#pragma once

#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/options.h"
#include "cloze/finetune.h"
#include "cloze/pretrain.h"
#include "cloze/training.h"

namespace cloze::cli {

void add_pretrain_options(CLI::App& app, PretrainSettings& settings);
void add_finetune_options(CLI::App& app, FinetuneSettings& settings);

void add_optimizer_options(CLI::App& app, TrainingSettings& settings);
void add_computation_options(CLI::App& app, TrainingSettings& settings);
/// What 0 means for --evaluate-every and --save-every is for the command to say.
void add_run_options(CLI::App& app, TrainingSettings& settings, const std::string& never_evaluate,
                     const std::string& never_save);

/// An option whose text `set` makes a setting of; an ArgumentError of `set` is a UsageError that
/// names the option.
template <class Set>
CLI::Option* add_named(CLI::App& app, const std::string& name, std::string_view standard,
                       const std::string& about, const Set& set) {
  return app
      .add_option_function<std::string>(
          name,
          [name, set](const std::string& text) {
            try {
              set(text);
            } catch (const ArgumentError& error) {
              throw UsageError(name + ": " + error.what());
            }
          },
          about)
      ->default_str(std::string(standard));
}

}  // namespace cloze::cli
