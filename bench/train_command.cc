// `cloze bench train`: how fast a pre-training step is, and what share of the machine's matrix
// rate.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "bench/lengths.h"
#include "bench/timed_command.h"
#include "bench/train_benchmark.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/bert.h"
#include "cloze/config.h"
#include "cloze/model_sizes.h"
#include "cloze/threads.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
A step is forward, backward, clipping and AdamW, on random weights and one random batch whose tokens
are masked to 15 %. gemm_gflops is what oneDNN alone reaches on the step's own matrix shapes in the same
process, dtype and threads; fraction_of_gemm is the whole step's rate, all its matrix products counted,
over that.

Examples:
  cloze bench train --size base --batch 8 --length 128 --dtype bf16
  cloze bench train --size mini --batch 32 --length 128 --dtype bf16 --profile
  cloze bench train --size mini --lengths lengths.txt --json
)";

struct Options : TimedOptions {
  std::string dtype = "auto";
  int threads = 0;
  bool no_dropout = false;
  bool recompute = false;
};

void add_options(CLI::App& app, Options& options) {
  options.size = "base";
  app.add_option("--size", options.size, "a size: " + known_sizes())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--config", options.config, "a config.json instead of a size")
      ->type_name("FILE")
      ->excludes("--size");
  add_length_options(app, options, "a file of lengths instead of --batch and --length");
  app.add_option("--dtype", options.dtype, "f32, bf16, or auto: bf16 where the machine has it")
      ->type_name("TYPE")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  add_count(app, "--threads", options.threads, "threads; 0: all that the process may use", 0, 4096);
  app.add_flag("--no-dropout", options.no_dropout, "leave dropout out");
  app.add_flag("--recompute", options.recompute,
               "keep the layers' inputs alone: less memory, a third more arithmetic");
  add_pass_options(app, options, "steps", "five");
  app.footer(examples);
}

std::vector<std::int64_t> lengths_of(const Options& options) {
  if (options.lengths.empty()) {
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(options.batch));
    std::fill(lengths.begin(), lengths.end(), options.length);
    return lengths;
  }
  auto reader = TextReader::file(std::filesystem::path(options.lengths), Tabs::space);
  auto lengths = read_lengths(reader);
  if (lengths.empty()) throw UsageError(fmt::format("{} holds no lengths", options.lengths));
  return lengths;
}

DType compute_of(const Options& options) {
  const bool bf16 = options.dtype == "bf16" ||
                    (options.dtype == "auto" && resolve(Precision::best) == Precision::bf16);
  return bf16 ? DType::bf16 : DType::f32;
}

std::string json(const TrainBenchmark& result, const TimedModel& model) {
  return timed_json(
      result, model,
      {{"optimizer_ms", result.optimizer_ms},
       {"masked", result.masked},
       {"activations_mib", mebibytes(static_cast<std::int64_t>(result.activation_bytes))},
       {"loss", result.loss}});
}

std::string readable(const TrainBenchmark& result, const TimedModel& model) {
  auto text = model_line(result, model);
  text +=
      fmt::format("{} sequences, {} tokens (longest {}), {} masked\n", grouped(result.sequences),
                  grouped(result.tokens), result.longest, grouped(result.masked));
  text += fmt::format(
      "  step         {:.1f} ms median, p90 {:.1f}, best {:.1f} ({} steps), of which clipping and "
      "AdamW {:.1f}\n",
      result.percentile(0.5), result.percentile(0.9), result.percentile(0.0), result.ms.size(),
      result.optimizer_ms);
  text += fmt::format("  throughput   {:.0f} tokens/s\n", result.tokens_per_s());
  text += rate_line(result);
  text += fmt::format("  memory       {:.0f} MiB at most, {:.0f} of them activations\n",
                      mebibytes(result.peak_memory),
                      mebibytes(static_cast<std::int64_t>(result.activation_bytes)));
  return text + profile_of(result);
}

}  // namespace

void run_bench_train(Arguments arguments) {
  CLI::App app("Measures a pre-training step beside oneDNN's own rate on the same matrix shapes.",
               "cloze bench train");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  set_num_threads(options.threads);
  const auto config = config_of(options);
  const auto lengths = lengths_of(options);
  const auto compute = compute_of(options);
  const auto result = as_usage([&] {
    return benchmark_train(config, lengths,
                           {.compute = compute,
                            .dropout = !options.no_dropout,
                            .recompute = options.recompute,
                            .passes = options.passes});
  });
  const TimedModel timed{config, result.parameters, name_of(compute)};
  print(options.json ? json(result, timed) : readable(result, timed));
}

}  // namespace cloze::cli
