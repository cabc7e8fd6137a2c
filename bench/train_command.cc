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
#include "bench/profile_table.h"
#include "bench/train_benchmark.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/config.h"
#include "cloze/model_sizes.h"
#include "cloze/output.h"
#include "cloze/threads.h"
#include "core/io/mapped_file.h"
#include "ops/linear.h"

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

struct Options {
  std::string size = "base";
  std::string config;
  std::int64_t batch = 8;
  std::int64_t length = 128;
  std::string lengths;
  std::string dtype = "auto";
  int threads = 0;
  bool no_dropout = false;
  bool recompute = false;
  int warmup = 2;
  int iterations = 0;
  bool profile = false;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--size", options.size, "a size: " + known_sizes())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--config", options.config, "a config.json instead of a size")
      ->type_name("FILE")
      ->excludes("--size");
  add_count(app, "--batch", options.batch, "sequences", 1, std::int64_t{1} << 20);
  add_count(app, "--length", options.length, "tokens of each", 1, std::int64_t{1} << 20);
  app.add_option("--lengths", options.lengths, "a file of lengths instead of --batch and --length")
      ->type_name("FILE")
      ->excludes("--batch")
      ->excludes("--length");
  app.add_option("--dtype", options.dtype, "f32, bf16, or auto: bf16 where the machine has it")
      ->type_name("TYPE")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  add_count(app, "--threads", options.threads, "threads; 0: all cores", 0, 4096);
  app.add_flag("--no-dropout", options.no_dropout, "leave dropout out");
  app.add_flag("--recompute", options.recompute,
               "keep the layers' inputs alone: less memory, a third more arithmetic");
  add_count(app, "--warmup", options.warmup, "steps before the clock starts", 0, 1 << 20);
  add_count(app, "--iterations", options.iterations,
            "steps to time; 0: as many as fit in five seconds, at least five", 0, 1 << 20);
  app.add_flag("--profile", options.profile, "where the time goes, by kind of operation");
  app.add_flag("--json", options.json, "one JSON object");
  app.footer(examples);
}

BertConfig config_of(const Options& options) {
  if (options.config.empty()) return as_usage([&] { return named_config(options.size); });
  const auto file = MappedFile::open(options.config);
  return BertConfig::from_json(file->text(), options.config);
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
  const bool bf16 =
      options.dtype == "bf16" || (options.dtype == "auto" && ops::accelerates(DType::bf16));
  return bf16 ? DType::bf16 : DType::f32;
}

double mib(double bytes) { return bytes / (1 << 20); }

std::string json(const TrainBenchmark& result, DType compute) {
  nlohmann::ordered_json out;
  out["ms_median"] = result.percentile(0.5);
  out["tokens_per_s"] = result.tokens_per_s();
  out["gemm_gflops"] = result.gemm_gflops;
  out["fraction_of_gemm"] = result.fraction_of_gemm();
  out["gflops"] = result.gflops();
  out["optimizer_ms"] = result.optimizer_ms;
  out["ms_p90"] = result.percentile(0.9);
  out["ms_min"] = result.percentile(0.0);
  out["iterations"] = result.ms.size();
  out["sequences"] = result.sequences;
  out["tokens"] = result.tokens;
  out["masked"] = result.masked;
  out["longest"] = result.longest;
  out["threads"] = result.threads;
  out["dtype"] = name_of(compute);
  out["peak_memory_mib"] = mib(static_cast<double>(result.peak_memory));
  out["activations_mib"] = mib(static_cast<double>(result.activation_bytes));
  out["parameters"] = result.parameters;
  out["loss"] = result.loss;
  if (!result.profile.empty()) {
    out["profile"] = profile_json(result.profile);
    out["profile_thread_seconds"] = result.profiled_seconds * result.threads;
  }
  return out.dump() + '\n';
}

std::string readable(const TrainBenchmark& result, const BertConfig& config, DType compute) {
  auto text =
      fmt::format("{} layers of {}, {} parameters, {}, {} threads\n", config.num_hidden_layers,
                  config.hidden_size, grouped(result.parameters), name_of(compute), result.threads);
  text +=
      fmt::format("{} sequences, {} tokens (longest {}), {} masked\n", grouped(result.sequences),
                  grouped(result.tokens), result.longest, grouped(result.masked));
  text += fmt::format(
      "  step         {:.1f} ms median, p90 {:.1f}, best {:.1f} ({} steps), of which clipping and "
      "AdamW {:.1f}\n",
      result.percentile(0.5), result.percentile(0.9), result.percentile(0.0), result.ms.size(),
      result.optimizer_ms);
  text += fmt::format("  throughput   {:.0f} tokens/s\n", result.tokens_per_s());
  text += fmt::format("  matrix work  {:.0f} GFLOP/s, {:.1f} % of oneDNN's own {:.0f}\n",
                      result.gflops(), 100.0 * result.fraction_of_gemm(), result.gemm_gflops);
  text += fmt::format("  memory       {:.0f} MiB at most, {:.0f} of them activations\n",
                      mib(static_cast<double>(result.peak_memory)),
                      mib(static_cast<double>(result.activation_bytes)));
  return text + profile_table(result.profile, result.profiled_seconds * result.threads);
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
                            .warmup = options.warmup,
                            .iterations = options.iterations,
                            .profile = options.profile});
  });
  auto out = Output::standard_output();
  out.write(options.json ? json(result, compute) : readable(result, config, compute));
  out.finish();
}

}  // namespace cloze::cli
