/// \file
/// cloze similarity: rank texts by likeness to a query, or score pairs.
#include "sentence/similarity.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "cloze/bert.h"
#include "cloze/output.h"
#include "cloze/tokenizer.h"
#include "core/top_list.h"
#include "datasets/batching.h"
#include "sentence/embedder.h"
#include "sentence/settings.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are cosines of sentence vectors, 1 for the same direction. Vectors are pooled as a
sentence-transformers directory says, by the mean of the tokens elsewhere.

Examples:
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" "a puppy plays" "taxes are due"
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" --input sentences.txt --top-k 10
  cloze similarity --model all-MiniLM-L6-v2 --query-file questions.txt --input sentences.txt --top-k 5
  printf 'one\tfirst\ntwo\tthree\n' | cloze similarity --model all-MiniLM-L6-v2
  cloze similarity --model all-MiniLM-L6-v2 "He plays chess" "A man is at a board game"
)";

struct Options {
  ModelOptions model;
  TextOptions text;
  std::string query;
  std::string query_file;
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
  bool cut = false;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (!options.pooling.empty()) {
    embed.pooling = as_usage([&] { return pooling_from(options.pooling); });
    if (embed.pooling == Pooling::none) throw UsageError("similarity needs a pooling, not none");
  } else if (const auto settings = sentence_settings(options.model.root())) {
    embed.pooling = settings->pooling;
    for (const auto& dense : settings->dense) {
      embed.dense.push_back(Dense::from_pretrained(dense));
    }
    if (options.text.max_length == 0) most = settings->max_seq_length.value_or(most);
    cut = settings->max_seq_length.has_value();  // as sentence-transformers does
  }
  auto tokenizer = Tokenizer::from_pretrained(directory);
  auto model = BertModel::from_pretrained(directory, load_options);
  require_same_vocabulary(tokenizer, model.config());
  auto limit = options.text.limit(std::min(most, model.config().max_position_embeddings));
  limit.truncate = limit.truncate || cut;
  return {std::move(tokenizer), limit, Embedder(std::move(model), std::move(embed))};
}

/// Reads pieces of the input, scores their texts, and hands each text and score on, in order.
template <class Score, class Use>
void for_each_score(TextReader& reader, std::int64_t bytes, ProgressOptions bar, const Score& score,
                    const Use& use) {
  ProgressBar progress("comparing", reader.total_bytes(), "bytes", std::move(bar));
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

/// The queries: the one given, or the lines of a file.
std::vector<TextItem> queries_of(const Options& options) {
  if (options.query_file.empty()) return {{options.query, std::nullopt, 1}};
  auto reader = TextReader::file(options.query_file, Tabs::space);
  std::vector<TextItem> queries;
  while (auto query = reader.next()) queries.push_back(std::move(*query));
  if (queries.empty()) throw FormatError(options.query_file + " has no queries: a line is one");
  return queries;
}

void rank(const Options& options, const Encoder& encoder, TextReader& reader, std::int64_t bytes,
          Output& out) {
  const auto query_reader = TextReader::list({}, Tabs::space, "query");
  const auto queries = queries_of(options);
  const auto vectors = encoder(queries, query_reader);
  const auto columns = static_cast<std::size_t>(vectors.dim(1));
  const auto count = options.top_k > 0 ? static_cast<std::size_t>(options.top_k)
                                       : std::numeric_limits<std::size_t>::max();
  std::vector<TopList> best(queries.size(), TopList(count));
  std::int64_t index = 0;
  ProgressBar progress("comparing", reader.total_bytes(), "bytes");
  std::int64_t done = 0;
  while (true) {
    const auto items = reader.next_items(bytes);
    if (items.empty()) break;
    const auto texts = encoder(items, reader);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto scores = cosines(texts, vectors.values<float>().subspan(q * columns, columns));
      for (std::size_t i = 0; i < items.size(); ++i) {
        best[q].add(scores[i], index + static_cast<std::int64_t>(i), items[i].text);
      }
    }
    index += static_cast<std::int64_t>(items.size());
    progress.advance(reader.bytes_read() - done);
    done = reader.bytes_read();
  }
  const auto width = terminal_width();
  const bool several = !options.query_file.empty();
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::string line;
    if (several && !options.json) line = shortened(queries[q].text, width) + '\n';
    std::size_t place = 0;
    for (const auto& found : best[q].sorted()) {
      ++place;
      if (options.json) {
        line += several ? fmt::format("{{\"query\":{},", q) : "{";
        line += fmt::format("\"rank\":{},\"index\":{},\"score\":{:.6f},\"text\":", place,
                            found.index, found.score);
        append_json(line, found.text);
        line += "}\n";
      } else {
        line += fmt::format("{:>4}  {:7.4f}  ", place, found.score);
        line += shortened(found.text, width > 40 ? width - 15 : 25) + '\n';
      }
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
  app.add_option("--query-file", options.query_file,
                 "a query a line: the texts are ranked for each")
      ->type_name("FILE");
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
  if (app.count("--query") > 0 && app.count("--query-file") > 0) {
    throw UsageError("give --query or --query-file, not both");
  }
  const bool ranks = app.count("--query") + app.count("--query-file") > 0;
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
