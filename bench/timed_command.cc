#include "bench/timed_command.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/profile_table.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/model_sizes.h"
#include "core/io/mapped_file.h"

namespace cloze::cli {

void add_length_options(CLI::App& app, TimedOptions& options, const std::string& about_lengths) {
  add_count(app, "--batch", options.batch, "sequences", 1, std::int64_t{1} << 24);
  add_count(app, "--length", options.length, "tokens of each", 1, std::int64_t{1} << 24);
  app.add_option("--lengths", options.lengths, about_lengths)
      ->type_name("FILE")
      ->excludes("--batch")
      ->excludes("--length");
}

void add_pass_options(CLI::App& app, TimedOptions& options, const std::string& passes,
                      const std::string& seconds) {
  auto& timed = options.passes;
  add_count(app, "--warmup", timed.warmup, passes + " before the clock starts", 0, 1 << 20);
  add_count(
      app, "--iterations", timed.iterations,
      fmt::format("{} to time; 0: as many as fit in {} seconds, at least five", passes, seconds), 0,
      1 << 20);
  app.add_flag("--profile", timed.profile, "where the time goes, by kind of operation");
  app.add_flag("--json", options.json, "one JSON object");
}

BertConfig config_of(const TimedOptions& options) {
  if (options.config.empty()) return as_usage([&] { return named_config(options.size); });
  const auto file = MappedFile::open(options.config);
  return BertConfig::from_json(file->text(), options.config);
}

std::string timed_json(const TimedPasses& result, const TimedModel& model,
                       const nlohmann::ordered_json& own) {
  nlohmann::ordered_json out{{"ms_median", result.percentile(0.5)},
                             {"tokens_per_s", result.tokens_per_s()},
                             {"gemm_gflops", result.gemm_gflops},
                             {"fraction_of_gemm", result.fraction_of_gemm()},
                             {"gflops", result.gflops()},
                             {"ms_p90", result.percentile(0.9)},
                             {"ms_min", result.percentile(0.0)},
                             {"iterations", result.ms.size()},
                             {"sequences", result.sequences},
                             {"tokens", result.tokens},
                             {"longest", result.longest},
                             {"threads", result.threads},
                             {"dtype", model.dtype},
                             {"peak_memory_mib", mebibytes(result.peak_memory)},
                             {"parameters", model.parameters}};
  out.update(own);
  if (!result.profile.empty()) {
    out["profile"] = profile_json(result.profile);
    out["profile_thread_seconds"] = result.profiled_seconds * result.threads;
  }
  return json_text(out);
}

std::string model_line(const TimedPasses& result, const TimedModel& model) {
  return fmt::format("{} layers of {}, {} parameters, {}, {} threads\n",
                     model.config.num_hidden_layers, model.config.hidden_size,
                     grouped(model.parameters), model.dtype, result.threads);
}

std::string rate_line(const TimedPasses& result) {
  return fmt::format("  matrix work  {:.0f} GFLOP/s, {:.1f} % of oneDNN's own {:.0f}\n",
                     result.gflops(), 100.0 * result.fraction_of_gemm(), result.gemm_gflops);
}

std::string profile_of(const TimedPasses& result) {
  return profile_table(result.profile, result.profiled_seconds * result.threads);
}

double mebibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace cloze::cli
