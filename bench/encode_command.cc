/// \file
/// cloze bench encode: how fast the encoder is, and what share of the machine's matrix rate.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "bench/encode_benchmark.h"
#include "bench/lengths.h"
#include "bench/profile_table.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/bert.h"
#include "cloze/config.h"
#include "cloze/model_sizes.h"
#include "cloze/output.h"
#include "cloze/tokenizer.h"
#include "core/io/mapped_file.h"
#include "pipelines/batches.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Without --model the weights are random: speed does not depend on them. gemm_gflops is what oneDNN
alone reaches on the model's own matrix shapes in the same process, dtype and threads;
fraction_of_gemm is the encoder's own rate, all its matrix products counted, over that.

A --lengths file holds a length a line, or, with --model, texts.

Examples:
  cloze bench encode --size base --batch 8 --length 128 --dtype bf16
  cloze bench encode --model all-MiniLM-L6-v2 --lengths sentences.txt --truncate --json
)";

struct Options {
  ModelOptions model;
  std::string size;
  std::string config;
  std::int64_t batch = 8;
  std::int64_t length = 128;
  std::string lengths;
  bool truncate = false;
  int warmup = 2;
  int iterations = 0;
  bool profile = false;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  auto* source = app.add_option_group("model", "which model (default: --size base)");
  source->add_option("--model,-m", options.model.model, "model directory, or a name in the cache")
      ->type_name("DIR_OR_NAME");
  source->add_option("--size", options.size, "random weights of a size: " + known_sizes())
      ->type_name("NAME");
  source->add_option("--config", options.config, "random weights for a config.json")
      ->type_name("FILE");
  source->require_option(0, 1);
  add_count(app, "--batch", options.batch, "sequences", 1, std::int64_t{1} << 24);
  add_count(app, "--length", options.length, "tokens of each", 1, std::int64_t{1} << 24);
  app.add_option("--lengths", options.lengths,
                 "a file of lengths or texts instead of --batch and --length")
      ->type_name("FILE")
      ->excludes("--batch")
      ->excludes("--length");
  app.add_flag("--truncate", options.truncate, "cut texts that are too long");
  add_count(app, "--warmup", options.warmup, "passes before the clock starts", 0, 1 << 20);
  add_count(app, "--iterations", options.iterations,
            "passes to time; 0: as many as fit in three seconds, at least five", 0, 1 << 20);
  app.add_flag("--profile", options.profile, "where the time goes, by kind of operation");
  app.add_flag("--json", options.json, "one JSON object");
  options.model.add_computation(app);
  app.footer(examples);
}

BertModel load(const Options& options) {
  constexpr std::uint64_t seed = 0;
  const auto load_options = options.model.load_options();
  if (!options.model.model.empty()) {
    return BertModel::from_pretrained(options.model.directory(), load_options);
  }
  if (!options.config.empty()) {
    const auto file = MappedFile::open(options.config);
    return BertModel::random(BertConfig::from_json(file->text(), options.config), seed,
                             load_options);
  }
  const auto config =
      as_usage([&] { return named_config(options.size.empty() ? "base" : options.size); });
  return BertModel::random(config, seed, load_options);
}

std::vector<TokenizedText> texts_of_file(const Options& options, const BertModel& model) {
  const std::filesystem::path file(options.lengths);
  {
    auto reader = TextReader::file(file, Tabs::space);
    const auto lengths = read_lengths(reader);
    if (!lengths.empty()) return random_texts(model.config(), lengths);
  }
  if (options.model.model.empty()) {
    throw UsageError(fmt::format(
        "{} holds no lengths: to take the lengths of texts, give --model with a tokenizer",
        options.lengths));
  }
  auto reader = TextReader::file(file, Tabs::pair);
  std::vector<TextItem> items;
  while (auto item = reader.next()) items.push_back(std::move(*item));
  const auto tokenizer = Tokenizer::from_pretrained(options.model.directory());
  require_same_vocabulary(tokenizer, model.config());
  const auto place = [&](std::size_t i) { return reader.place(items[i].number); };
  return suggesting_truncate([&] {
    return internal::tokenize(tokenizer, items, {.truncate = options.truncate, .name = place},
                              model.config().max_position_embeddings);
  });
}

std::vector<TokenizedText> texts(const Options& options, const BertModel& model) {
  if (!options.lengths.empty()) return texts_of_file(options, model);
  const std::vector<std::int64_t> lengths(static_cast<std::size_t>(options.batch), options.length);
  return as_usage([&] { return random_texts(model.config(), lengths); });
}

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string json(const EncodeBenchmark& result, const BertModel& model) {
  nlohmann::ordered_json out;
  out["ms_median"] = result.percentile(0.5);
  out["tokens_per_s"] = result.tokens_per_s();
  out["gemm_gflops"] = result.gemm_gflops;
  out["fraction_of_gemm"] = result.fraction_of_gemm();
  out["gflops"] = result.gflops();
  out["ms_p50"] = result.percentile(0.5);
  out["ms_p90"] = result.percentile(0.9);
  out["ms_p99"] = result.percentile(0.99);
  out["ms_min"] = result.percentile(0.0);
  out["iterations"] = result.ms.size();
  out["sequences"] = result.sequences;
  out["tokens"] = result.tokens;
  out["longest"] = result.longest;
  out["batches"] = result.batches;
  out["threads"] = result.threads;
  out["dtype"] = name_of(model.precision());
  out["peak_memory_mib"] = mib(result.peak_memory);
  out["parameters"] = model.num_parameters();
  if (!result.profile.empty()) {
    out["profile"] = profile_json(result.profile);
    out["profile_thread_seconds"] = result.profiled_seconds * result.threads;
  }
  return out.dump() + '\n';
}

std::string readable(const EncodeBenchmark& result, const BertModel& model) {
  const auto& config = model.config();
  auto text =
      fmt::format("{} layers of {}, {} parameters, {}, {} threads\n", config.num_hidden_layers,
                  config.hidden_size, grouped(model.num_parameters()), name_of(model.precision()),
                  result.threads);
  text += fmt::format("{} sequences, {} tokens (longest {}), {} batch{}\n",
                      grouped(result.sequences), grouped(result.tokens), result.longest,
                      result.batches, result.batches == 1 ? "" : "es");
  text += fmt::format(
      "  latency      {:.2f} ms median, p90 {:.2f}, p99 {:.2f}, best {:.2f} ({} "
      "passes)\n",
      result.percentile(0.5), result.percentile(0.9), result.percentile(0.99),
      result.percentile(0.0), result.ms.size());
  text += fmt::format("  throughput   {:.0f} tokens/s, {:.1f} sequences/s\n", result.tokens_per_s(),
                      static_cast<double>(result.sequences) / result.percentile(0.5) * 1e3);
  text += fmt::format("  matrix work  {:.0f} GFLOP/s, {:.1f} % of oneDNN's own {:.0f}\n",
                      result.gflops(), 100.0 * result.fraction_of_gemm(), result.gemm_gflops);
  text += fmt::format("  memory       {:.0f} MiB at most\n", mib(result.peak_memory));
  return text + profile_table(result.profile, result.profiled_seconds * result.threads);
}

}  // namespace

void run_bench_encode(Arguments arguments) {
  CLI::App app("Measures the encoder beside oneDNN's own rate on the same matrix shapes.",
               "cloze bench encode");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  const auto model = load(options);
  const auto result = benchmark_encode(model, texts(options, model),
                                       {.batch_tokens = options.model.batch_tokens,
                                        .warmup = options.warmup,
                                        .iterations = options.iterations,
                                        .profile = options.profile});
  auto out = Output::standard_output();
  out.write(options.json ? json(result, model) : readable(result, model));
  out.finish();
}

}  // namespace cloze::cli
