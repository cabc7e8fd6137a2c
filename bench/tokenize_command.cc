/// \file
/// cloze bench tokenize: how fast the tokenizer is, and how far from the memory's own rate.
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "bench/tokenize_benchmark.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/threads.h"
#include "cloze/tokenizer.h"
#include "core/io/mapped_file.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Every non-empty line of the file is a text. MB are 10^6 bytes of text; tokens include [CLS] and
[SEP]. fraction_of_memory is the speed of ids alone over that of copying the same bytes. cores_give says how
many times as fast as one thread all are that work apart, each on the whole file: cores that share a
memory, a clock or a multiplier give less than their number.

Examples:
  cloze bench tokenize --model all-MiniLM-L6-v2 --input wikitext2.valid.txt
  cloze bench tokenize --model all-MiniLM-L6-v2 --input lines.txt --threads 2 --json
)";

struct Options {
  ModelOptions model;
  std::string input;
  std::string mode = "hf";
  int threads = 0;
  int iterations = 0;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  app.add_option("--input,-i", options.input, "the file to tokenize")
      ->type_name("FILE")
      ->required();
  app.add_option("--mode", options.mode, "whose rules: hf or google")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"hf", "google"}));
  add_count(app, "--threads", options.threads,
            "threads of the run on all cores; 0: all that the process may use", 0, 4096);
  add_count(app, "--iterations", options.iterations,
            "passes to time; 0: as many as fit in five seconds, at least five", 0, 1 << 20);
  app.add_flag("--json", options.json, "one JSON object");
  app.footer(examples);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string json(const TokenizeBenchmark& result) {
  const auto kind = [&result](const TokenizeTimes& times) {
    return nlohmann::ordered_json{{"ms_median", times.median()},
                                  {"mb_per_s", result.mb_per_s(times)},
                                  {"tokens_per_s", result.tokens_per_s(times)}};
  };
  nlohmann::ordered_json out = kind(result.ids);
  out["memory_mb_per_s"] = result.mb_per_s(result.copy);
  out["fraction_of_memory"] = result.mb_per_s(result.ids) / result.mb_per_s(result.copy);
  out["offsets"] = kind(result.offsets);
  out["encodings"] = kind(result.encodings);
  out["one_core"] = kind(result.one_core);
  out["all_cores"] = kind(result.all_cores);
  out["speedup"] = result.one_core.median() / result.all_cores.median();
  out["cores_give"] = result.threads * result.ids.median() / result.apart.median();
  out["threads"] = result.threads;
  out["texts"] = result.texts;
  out["bytes"] = result.bytes;
  out["tokens"] = result.tokens;
  out["iterations"] = result.ids.ms.size();
  return json_text(out);
}

std::string readable(const TokenizeBenchmark& result) {
  auto text = fmt::format("{} texts, {} bytes, {} tokens\n", grouped(result.texts),
                          grouped(result.bytes), grouped(result.tokens));
  const auto add = [&](std::string_view name, const TokenizeTimes& times) {
    text += fmt::format("  {:<34}{:8.1f} MB/s {:8.1f} M tokens/s\n", name, result.mb_per_s(times),
                        result.tokens_per_s(times) / 1e6);
  };
  add("ids", result.ids);
  add("ids, offsets, word ids", result.offsets);
  add("whole encodings", result.encodings);
  add("a new batch of ids, one thread", result.one_core);
  add(fmt::format("a new batch of ids, {} threads", result.threads), result.all_cores);
  text += fmt::format(
      "  {} threads are {:.2f} times as fast as one; threads that share nothing {:.2f} times\n",
      result.threads, result.one_core.median() / result.all_cores.median(),
      result.threads * result.ids.median() / result.apart.median());
  text += fmt::format("  {:<34}{:8.1f} MB/s, of which ids alone are {:.1f} %\n",
                      "copying the bytes", result.mb_per_s(result.copy),
                      100 * result.mb_per_s(result.ids) / result.mb_per_s(result.copy));
  return text;
}

}  // namespace

void run_bench_tokenize(Arguments arguments) {
  CLI::App app("Measures the tokenizer beside the memory's own rate.", "cloze bench tokenize");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  set_num_threads(options.threads);
  const auto file = MappedFile::open(options.input);
  const auto lines = lines_of(file->text());
  if (lines.empty()) {
    throw FormatError(fmt::format("{}: there is no text in it to time", options.input));
  }
  const auto mode = options.mode == "google" ? TokenizerMode::google : TokenizerMode::hf;
  const auto tokenizer = Tokenizer::from_pretrained(options.model.directory(), mode);
  const auto result = benchmark_tokenize(tokenizer, lines, {.iterations = options.iterations});
  print(options.json ? json(result) : readable(result));
}

}  // namespace cloze::cli
