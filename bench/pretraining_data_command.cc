/// \file
/// cloze bench pretraining-data: how fast text becomes masked batches, and what is in them.
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "bench/pretraining_benchmark.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/tokenizer.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Makes all batches of the given epochs and throws them away. MB are 10^6 bytes of text; a core's
share is of the processor time that the background threads took, reading included. The masked share
counts all tokens, special ones too, as Google's does.

Examples:
  cloze bench pretraining-data --model all-MiniLM-L6-v2 --text books.txt
  cloze bench pretraining-data --model vocabulary/ --text corpus/ --documents file --max-length 512
)";

struct Options {
  ModelOptions model;
  std::vector<std::string> texts;
  std::string documents = "blank-line";
  std::string lines = "auto";
  PretrainingDataOptions data;
  bool single = false;
  bool json = false;
};

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  auto& data = options.data;
  app.add_option("--text,-t", options.texts, "files, or directories of files")
      ->type_name("PATH...")
      ->required();
  app.add_option("--documents", options.documents, "parted by: blank-line or file")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"blank-line", "file"}));
  app.add_option("--lines", options.lines, "a line is: auto, sentence, paragraph or wrapped")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "sentence", "paragraph", "wrapped"}));
  add_count(app, "--max-length", data.max_length, "tokens of a sequence", 8, 1 << 16);
  app.add_flag("--single", options.single, "single sequences instead of sentence pairs");
  app.add_flag("--whole-words", data.whole_words, "mask whole words");
  add_number(app, "--masked", data.masked_probability, "share of tokens to mask", between(0, 0.9));
  add_count(app, "--batch-tokens", data.batch_tokens, "tokens of a batch at most", 8);
  add_count(app, "--epochs", data.epochs, "times to go through the text; 0: once", 0, 1 << 20);
  add_count(app, "--workers", data.workers, "background threads", 0, 1024);
  add_seed(app, data.seed, "for everything random");
  app.add_flag("--json", options.json, "one JSON object");
  app.footer(examples);
}

CorpusOptions corpus_options(const Options& options) {
  CorpusOptions corpus;
  if (options.documents == "file") corpus.documents = DocumentBreak::file;
  for (const auto kind : {LineKind::sentence, LineKind::paragraph, LineKind::wrapped}) {
    if (options.lines == name_of(kind)) corpus.lines = kind;
  }
  corpus.progress = terminal_progress();
  return corpus;
}

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string json(const PretrainingDataBenchmark& result) {
  const auto& counted = result.statistics;
  nlohmann::ordered_json out{
      {"mb_per_s_core", result.mb_per_s_core()},
      {"sequences_per_s", static_cast<double>(counted.sequences) / result.seconds},
      {"tokens_per_s", static_cast<double>(counted.tokens) / result.seconds},
      {"seconds", result.seconds},
      {"waited_seconds", result.cost.waited_seconds},
      {"waits", result.cost.waits},
      {"first_wait_seconds", result.cost.first_wait_seconds},
      {"open_seconds", result.open_seconds},
      {"peak_memory", result.peak_memory},
      {"index_bytes", result.index_bytes},
      {"text_bytes", result.text_bytes},
      {"documents", result.documents},
      {"lines", name_of(result.lines)},
      {"batches", counted.batches},
      {"sequences", counted.sequences},
      {"tokens", counted.tokens},
      {"masked", counted.masked},
      {"masked_share", ratio(counted.masked, counted.tokens)},
      {"shown_mask", ratio(counted.shown_mask, counted.masked)},
      {"shown_other", ratio(counted.shown_other, counted.masked)},
      {"shown_same", ratio(counted.shown_same, counted.masked)},
      {"most_predicted", counted.most_predicted},
      {"random_next", ratio(counted.random_next, counted.pairs)},
      {"mean_length", ratio(counted.tokens, counted.sequences)}};
  return json_text(out);
}

std::string readable(const PretrainingDataBenchmark& result) {
  const auto& counted = result.statistics;
  auto text = fmt::format("{} documents, {} bytes of text, a line is a {}; indexed in {:.2f} s\n",
                          grouped(result.documents), grouped(result.text_bytes),
                          name_of(result.lines), result.open_seconds);
  text += fmt::format("  {:<34}{:10.1f} MB/s\n", "preparing, of one core", result.mb_per_s_core());
  text += fmt::format("  {:<34}{:10.0f} sequences/s, {:.2f} M tokens/s\n", "delivered",
                      static_cast<double>(counted.sequences) / result.seconds,
                      static_cast<double>(counted.tokens) / result.seconds / 1e6);
  text += fmt::format("  {:<34}{:10.1f} MB, of which the index {:.2f}\n", "memory at most",
                      static_cast<double>(result.peak_memory) / 1e6,
                      static_cast<double>(result.index_bytes) / 1e6);
  text += fmt::format("  {:<34}{:10} of {:.1f} tokens in the mean\n", "sequences",
                      grouped(counted.sequences), ratio(counted.tokens, counted.sequences));
  text += fmt::format("  {:<34}{:10.3f} %, at most {} in a sequence\n", "masked",
                      100 * ratio(counted.masked, counted.tokens), counted.most_predicted);
  text += fmt::format("  {:<34}{:10.2f} % [MASK], {:.2f} % another token, {:.2f} % the same\n",
                      "shown in their place", 100 * ratio(counted.shown_mask, counted.masked),
                      100 * ratio(counted.shown_other, counted.masked),
                      100 * ratio(counted.shown_same, counted.masked));
  if (counted.pairs > 0) {
    text += fmt::format("  {:<34}{:10.2f} %\n", "random next segments",
                        100 * ratio(counted.random_next, counted.pairs));
  }
  return text;
}

}  // namespace

void run_bench_pretraining_data(Arguments arguments) {
  CLI::App app("Measures how fast text becomes masked batches, and what is in them.",
               "cloze bench pretraining-data");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;

  options.data.next_sentence = !options.single;
  const auto tokenizer = Tokenizer::from_pretrained(options.model.directory());
  const std::vector<std::filesystem::path> paths(options.texts.begin(), options.texts.end());
  const auto result = as_usage([&] {
    return benchmark_pretraining_data(paths, corpus_options(options), tokenizer, options.data);
  });
  print(options.json ? json(result) : readable(result));
}

}  // namespace cloze::cli
