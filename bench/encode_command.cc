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
#include "bench/callers_benchmark.h"
#include "bench/encode_benchmark.h"
#include "bench/lengths.h"
#include "bench/timed_command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/bert.h"
#include "cloze/config.h"
#include "cloze/model_sizes.h"
#include "cloze/tokenizer.h"
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
  cloze bench encode --size mini --callers 32
)";

struct Options : TimedOptions {
  ModelOptions model;
  bool truncate = false;
  int callers = 0;
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
  add_dictionary(app);
  add_length_options(app, options, "a file of lengths or texts instead of --batch and --length");
  app.add_flag("--truncate", options.truncate, "cut texts that are too long");
  add_pass_options(app, options, "passes", "three");
  add_count(app, "--callers", options.callers,
            "what so many threads that call the model at once get done, beside one; 0: do not ask",
            0, 1024);
  options.model.add_computation(app);
  app.footer(examples);
}

BertModel load(const Options& options) {
  constexpr std::uint64_t seed = 0;
  const auto load_options = options.model.load_options();
  if (!options.model.model.empty()) {
    return BertModel::from_pretrained(options.model.directory(), load_options);
  }
  return BertModel::random(config_of(options), seed, load_options);
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

using Callers = std::optional<CallersBenchmark>;

std::string json(const EncodeBenchmark& result, const Callers& callers, const TimedModel& model) {
  nlohmann::ordered_json own{{"ms_p50", result.percentile(0.5)},
                             {"ms_p99", result.percentile(0.99)},
                             {"batches", result.batches}};
  if (callers) {
    own["callers"] = callers->callers;
    own["callers_tokens_per_s"] = callers->together_tokens_per_s();
    own["one_caller_tokens_per_s"] = callers->one_tokens_per_s();
    own["callers_over_one"] = callers->ratio();
  }
  return timed_json(result, model, own);
}

std::string readable(const EncodeBenchmark& result, const Callers& callers,
                     const TimedModel& model) {
  auto text = model_line(result, model);
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
  text += rate_line(result);
  text += fmt::format("  memory       {:.0f} MiB at most\n", mebibytes(result.peak_memory));
  if (callers) {
    text += fmt::format(
        "  {} callers   {:.0f} tokens/s together, {:.0f} by one: {:.3f} times ({} passes a "
        "round)\n",
        callers->callers, callers->together_tokens_per_s(), callers->one_tokens_per_s(),
        callers->ratio(), callers->passes);
  }
  return text + profile_of(result);
}

}  // namespace

void run_bench_encode(Arguments arguments) {
  CLI::App app("Measures the encoder beside oneDNN's own rate on the same matrix shapes.",
               "cloze bench encode");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  if (options.size.empty()) options.size = "base";

  const auto model = load(options);
  const auto items = texts(options, model);
  const auto result = benchmark_encode(
      model, items, {.batch_tokens = options.model.batch_tokens, .passes = options.passes});
  const TimedModel timed{model.config(), model.num_parameters(), name_of(model.precision())};
  Callers callers;
  if (options.callers > 0) {
    callers = benchmark_callers(model, items, options.model.batch_tokens, options.callers,
                                options.passes.iterations);
  }
  print(options.json ? json(result, callers, timed) : readable(result, callers, timed));
}

}  // namespace cloze::cli
