/// \file
/// cloze bench quantize: what a lower precision costs on the user's own texts, and what it gains.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/bench_command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/bert.h"
#include "cloze/quantization.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/clock.h"
#include "pipelines/batches.h"
#include "sentence/embedder.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Encodes the texts in f32 and in --dtype and compares their sentence vectors: cosine of each text's
two vectors, and how many texts keep their nearest neighbour. --int8-keep leaves the layers that
cost most unquantized.

Examples:
  cloze bench quantize --model all-MiniLM-L6-v2 --input sentences.txt
  cloze bench quantize --model all-MiniLM-L6-v2 --input sentences.txt --int8-keep output.dense
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string pooling;
  bool json = false;
};

struct Run {
  Tensor vectors;
  double seconds = 0;
};

Run encode(const Options& options, const std::vector<TokenizedText>& texts, Pooling pooling,
           const LoadOptions& load_options) {
  const Embedder embedder(BertModel::from_pretrained(options.model.directory(), load_options),
                          {.poolings = {pooling}, .batch_tokens = options.model.batch_tokens});
  const auto start = Clock::now();
  Run run;
  run.vectors = embedder.embed(texts);
  run.seconds = seconds_since(start);
  return run;
}

std::string readable(const QuantizationCost& cost, const Run& reference, const Run& run,
                     std::string_view dtype, const std::string& worst) {
  auto text = fmt::format("{} texts, {} against f32\n", grouped(cost.texts), dtype);
  text +=
      fmt::format("  cosine      mean {:.5f}, one text in a hundred below {:.5f}, worst {:.5f}\n",
                  cost.mean_cosine, cost.percentile_1, cost.worst_cosine);
  text += fmt::format("  worst text  {}\n", shortened(worst, 90));
  text += fmt::format("  neighbours  {:.1f} % of the texts keep their nearest text\n",
                      100 * cost.same_neighbour);
  text += fmt::format("  time        f32 {:.2f} s, {} {:.2f} s: {:.2f} times as fast\n",
                      reference.seconds, dtype, run.seconds, reference.seconds / run.seconds);
  return text;
}

std::string json(const QuantizationCost& cost, const Run& reference, const Run& run,
                 std::string_view dtype) {
  const nlohmann::ordered_json out{{"texts", cost.texts},
                                   {"dtype", dtype},
                                   {"mean_cosine", cost.mean_cosine},
                                   {"percentile_1_cosine", cost.percentile_1},
                                   {"worst_cosine", cost.worst_cosine},
                                   {"worst_index", cost.worst_index},
                                   {"same_neighbour", cost.same_neighbour},
                                   {"f32_seconds", reference.seconds},
                                   {"seconds", run.seconds}};
  return json_text(out);
}

}  // namespace

void run_bench_quantize(Arguments arguments) {
  CLI::App app("What int8 (or bf16) costs on your own texts, and what it gains.",
               "cloze bench quantize");
  Options options;
  options.model.dtype = "int8";
  options.model.add_model(app);
  options.model.add_computation(app);
  options.text.add_texts(app, "texts to encode");
  options.text.add_limit(app);
  app.add_option("--pooling", options.pooling,
                 "cls, mean or pooler (default: the model's own, else mean)")
      ->type_name("NAME");
  app.add_flag("--json", options.json, "one JSON object");
  app.footer(examples);
  if (!parse(app, arguments)) return;

  const auto load_options = options.model.load_options();
  const auto directory = options.model.directory();
  auto pooling = Pooling::mean;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (!options.pooling.empty()) {
    pooling = as_usage([&] { return pooling_from(options.pooling); });
    if (pooling == Pooling::none) throw UsageError("a comparison needs a pooling, not none");
  } else if (const auto settings = sentence_settings(directory)) {
    if (settings->poolings.size() > 1) {
      throw UsageError("this model has several poolings side by side: compare one with --pooling");
    }
    pooling = settings->poolings.front();
    if (options.text.max_length == 0) most = settings->max_seq_length.value_or(most);
  }
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto config = BertConfig::from_pretrained(directory);
  require_same_vocabulary(tokenizer, config);
  auto reader = options.text.reader();
  std::vector<TextItem> items;
  while (auto item = reader.next()) items.push_back(std::move(*item));
  if (items.empty()) throw Error("there are no texts to compare on");
  auto limits = options.text.limits(config.max_position_embeddings);
  if (limits.max_length == 0) limits.max_length = std::min(most, config.max_position_embeddings);
  limits.name = [&](std::size_t i) { return reader.place(items[i].number); };
  const auto texts = suggesting_truncate(
      [&] { return internal::tokenize(tokenizer, items, limits, config.max_position_embeddings); });

  const auto reference = encode(options, texts, pooling, {});
  const auto run = encode(options, texts, pooling, load_options);
  const auto cost = quantization_cost(reference.vectors, run.vectors);
  const auto dtype = name_of(resolve(load_options.precision));
  print(options.json ? json(cost, reference, run, dtype)
                     : readable(cost, reference, run, dtype, items[cost.worst_index].text));
}

}  // namespace cloze::cli
