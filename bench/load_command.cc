/// \file
/// cloze bench load: how long a model takes until its first vector.
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "bench/load_benchmark.h"
#include "cli/format.h"
#include "cli/options.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
The files are in the system's cache when the clock starts. "opened" is every header checked and each
tensor that is mapped looked at; "loaded" has the weights packed for the products; "copying" is what
the memory takes for as many bytes.

Examples:
  cloze bench load --model all-MiniLM-L6-v2
  cloze bench load --model ./uncased_L-12_H-768_A-12 --dtype bf16 --json
)";

std::string json(const LoadBenchmark& result) {
  const nlohmann::ordered_json out{
      {"open_ms", result.open_ms},   {"load_ms", result.load_ms},
      {"first_ms", result.first_ms}, {"ready_ms", result.ready_ms()},
      {"copy_ms", result.copy_ms},   {"fraction_of_memory", result.fraction_of_memory()},
      {"bytes", result.bytes},       {"rounds", result.rounds}};
  return json_text(out);
}

std::string readable(const LoadBenchmark& result) {
  const auto line = [](std::string_view name, double ms, std::string_view note) {
    return fmt::format("  {:<22}{:9.2f} ms{}\n", name, ms, note);
  };
  return fmt::format("{:.1f} MiB of tensors, medians of {} rounds\n",
                     static_cast<double>(result.bytes) / (1 << 20), result.rounds) +
         line("opened", result.open_ms, "") +
         line("loaded", result.load_ms,
              fmt::format(", {:.0f} % of the memory's rate", 100 * result.fraction_of_memory())) +
         line("first call", result.first_ms, "") +
         line("to the first vector", result.ready_ms(), "") +
         line("copying the bytes", result.copy_ms, "");
}

}  // namespace

void run_bench_load(Arguments arguments) {
  CLI::App app("Measures how long a model takes until its first vector.", "cloze bench load");
  ModelOptions model;
  std::int64_t rounds = 7;
  bool as_json = false;
  model.add_model(app);
  model.add_computation(app);
  add_count(app, "--rounds", rounds, "how often to load it", 1, 1000);
  app.add_flag("--json", as_json, "one JSON object");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  const auto options = model.load_options();
  const auto result = benchmark_load(model.directory(), rounds, options);
  print(as_json ? json(result) : readable(result));
}

}  // namespace cloze::cli
