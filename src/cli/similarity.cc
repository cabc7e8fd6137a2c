/// \file
/// cloze similarity: rank texts by likeness to a query, or score pairs.
#include "tasks/similarity.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cloze/bert.h"
#include "cloze/tokenizer.h"
#include "core/progress.h"
#include "data/batching.h"
#include "data/output.h"
#include "tasks/embedder.h"
#include "tasks/sentence_settings.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are cosines of sentence vectors, 1 for the same direction. Vectors are pooled as a
sentence-transformers directory says, by the mean of the tokens elsewhere.

Examples:
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" "a puppy plays" "taxes are due"
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" --input sentences.txt --top-k 10
  printf 'one\tfirst\ntwo\tthree\n' | cloze similarity --model all-MiniLM-L6-v2
  cloze similarity --model all-MiniLM-L6-v2 "He plays chess" "A man is at a board game"
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string query;
  std::int64_t top_k = 0;
  std::string pooling;
  bool json = false;
};

/// Everything that turns texts into vectors to compare.
struct Encoder {
  Tokenizer tokenizer;
  LengthLimit limit;
  Embedder embedder;

  [[nodiscard]] Tensor operator()(const std::vector<TextItem>& items,
                                  const TextReader& reader) const {
    return embedder.embed(tokenize(tokenizer, items, limit, reader));
  }
};

Encoder load(const Options& options) {
  const auto load_options = options.model.load_options();
  const auto directory = options.model.directory();
  EmbedOptions embed{.pooling = Pooling::mean, .batch_tokens = options.model.batch_tokens};
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (!options.pooling.empty()) {
    embed.pooling = as_usage([&] { return pooling_from(options.pooling); });
    if (embed.pooling == Pooling::none) throw UsageError("similarity needs a pooling, not none");
  } else if (const auto settings = sentence_settings(directory)) {
    embed.pooling = settings->pooling;
    if (options.text.max_length == 0) most = settings->max_seq_length.value_or(most);
  }
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, load_options);
  require_same_vocabulary(tokenizer, model.config());
  const auto limit = options.text.limit(std::min(most, model.config().max_position_embeddings));
  return {std::move(tokenizer), limit, Embedder(std::move(model), std::move(embed))};
}

/// Reads pieces of the input, scores their texts, and hands each text and score on, in order.
template <class Score, class Use>
void for_each_score(TextReader& reader, std::int64_t bytes, ProgressOptions bar, const Score& score,
                    const Use& use) {
  Progress progress("comparing", reader.total_bytes(), "bytes", std::move(bar));
  std::int64_t done = 0;
  while (true) {
    const auto items = reader.next_items(bytes);
    if (items.empty()) return;
    const std::vector<double> scores = score(items);
    for (std::size_t i = 0; i < items.size(); ++i) use(items[i], scores[i]);
    progress.advance(reader.bytes_read() - done);
    done = reader.bytes_read();
  }
}

void rank(const Options& options, const Encoder& encoder, TextReader& reader, std::int64_t bytes,
          Output& out) {
  const auto query_reader = TextReader::list({options.query}, Tabs::space, "query");
  std::vector<TextItem> query(1);
  query.front().text = options.query;
  query.front().number = 1;
  const auto query_vector = encoder(query, query_reader);
  std::vector<double> scores;
  std::vector<std::string> texts;
  for_each_score(
      reader, bytes, {},
      [&](const std::vector<TextItem>& items) {
        return cosines(encoder(items, reader), query_vector.values<float>());
      },
      [&](const TextItem& item, double score) {
        scores.push_back(score);
        texts.push_back(item.text);
      });
  const auto count = options.top_k > 0 ? static_cast<std::size_t>(options.top_k) : scores.size();
  const auto width = terminal_width();
  std::string line;
  std::size_t place = 0;
  for (const auto index : ranking(scores, count)) {
    ++place;
    line.clear();
    if (options.json) {
      fmt::format_to(std::back_inserter(line),
                     "{{\"rank\":{},\"index\":{},\"score\":{:.6f},\"text\":", place, index,
                     scores[index]);
      append_json(line, texts[index]);
      line += "}\n";
    } else {
      line = fmt::format("{:>4}  {:7.4f}  ", place, scores[index]);
      line += shortened(texts[index], width > 40 ? width - 15 : 25) + '\n';
    }
    out.write(line);
  }
}

void score_pairs(const Options& options, const Encoder& encoder, TextReader& reader,
                 std::int64_t bytes, Output& out) {
  for_each_score(
      reader, bytes, beside_results(),
      [&](const std::vector<TextItem>& items) {
        std::vector<TextItem> sides;
        for (const auto& item : items) {
          require_pair(item, reader);
          sides.push_back({item.text, std::nullopt, item.number});
          sides.push_back({*item.pair, std::nullopt, item.number});
        }
        return pair_cosines(encoder(sides, reader));
      },
      [&](const TextItem&, double score) {
        out.write(options.json ? fmt::format("{{\"score\":{:.6f}}}\n", score)
                               : fmt::format("{:.4f}\n", score));
      });
}

void add_options(CLI::App& app, Options& options) {
  options.model.add_model(app);
  options.text.add_texts(app, "with --query the texts to rank, else pairs parted by a tab");
  app.add_option("--query,-q", options.query, "the text to rank all others by")->type_name("TEXT");
  app.add_option("--top-k", options.top_k, "show the best N only")
      ->type_name("N")
      ->check(in_range(1, std::int64_t{1} << 40));
  app.add_option("--pooling", options.pooling, "cls, mean, max or pooler")->type_name("NAME");
  options.text.add_limit(app);
  app.add_flag("--json", options.json, "a JSON object a line");
  options.model.add_computation(app);
  app.footer(examples);
}

}  // namespace

void run_similarity(Arguments arguments) {
  CLI::App app("Ranks texts by likeness to a query, or scores pairs of texts.", "cloze similarity");
  Options options;
  add_options(app, options);
  if (!parse(app, arguments)) return;
  const bool ranks = app.count("--query") > 0;
  if (!ranks && options.top_k > 0) throw UsageError("--top-k goes with --query");

  options.text.single = ranks;  // texts to rank are single: a tab in one is white space
  auto reader = ranks ? options.text.reader() : options.text.pair_reader();
  const auto encoder = load(options);
  const auto bytes = options.model.batch_tokens * 16;
  auto out = Output::standard_output();
  if (ranks) {
    rank(options, encoder, reader, bytes, out);
  } else {
    score_pairs(options, encoder, reader, bytes, out);
  }
  out.finish();
}

}  // namespace cloze::cli
