/// \file
/// What the commands share that time passes of a model: `bench encode` and `bench train`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "bench/timed_benchmark.h"
#include "cloze/config.h"

namespace cloze::cli {

struct TimedOptions {
  std::string size;
  std::string config;
  std::int64_t batch = 8;
  std::int64_t length = 128;
  std::string lengths;
  PassOptions passes;
  bool json = false;
};

/// --batch, --length and --lengths.
void add_length_options(CLI::App& app, TimedOptions& options, const std::string& about_lengths);

/// --warmup, --iterations, --profile and --json. `passes`: what they are called; `seconds`: how
/// long they are timed.
void add_pass_options(CLI::App& app, TimedOptions& options, const std::string& passes,
                      const std::string& seconds);

/// The configuration of --config, else that of --size.
[[nodiscard]] BertConfig config_of(const TimedOptions& options);

struct TimedModel {
  const BertConfig& config;
  std::int64_t parameters;
  std::string_view dtype;
};

/// What both tell in JSON; `own` follows.
[[nodiscard]] std::string timed_json(const TimedPasses& result, const TimedModel& model,
                                     const nlohmann::ordered_json& own);

/// What both tell people: the model and the threads, in a line.
[[nodiscard]] std::string model_line(const TimedPasses& result, const TimedModel& model);
/// How much of oneDNN's rate it is, in a line.
[[nodiscard]] std::string rate_line(const TimedPasses& result);
/// The profile, where there is one.
[[nodiscard]] std::string profile_of(const TimedPasses& result);

[[nodiscard]] double mebibytes(std::int64_t bytes);

}  // namespace cloze::cli
