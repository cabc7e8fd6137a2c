/// \file
/// cloze similarity: rank texts by likeness to a query, or score pairs.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cli/text_comparer.h"
#include "cloze/output.h"
#include "cloze/top_list.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are cosines of sentence vectors, 1 for the same direction, unless the directory names another
function (dot, euclidean or manhattan: the last two are distances with a minus). Vectors are made as a
sentence-transformers directory says, by the mean of the tokens elsewhere. --prompt and --prompt-name are
for queries, --text-prompt and --text-prompt-name for the texts that are ranked; with pairs, --prompt is for both.

A SparseEncoder (SPLADE; of any masked language model with --pooling splade) gives dot products of the weights of
words, a MultiVectorEncoder (ColBERT) MaxSim: there a query, or the first text of a pair, is read as a query, and
what it is compared to as a document, with the prompts of these.

Examples:
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" "a puppy plays" "taxes are due"
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" --input sentences.txt --top-k 10
  cloze similarity --model ./e5 --query "who wrote it" --prompt "query: " --text-prompt "passage: " --input docs.txt
  cloze similarity --model all-MiniLM-L6-v2 --query-file questions.txt --input sentences.txt --top-k 5
  printf 'one\tfirst\ntwo\tthree\n' | cloze similarity --model all-MiniLM-L6-v2
  cloze similarity --model all-MiniLM-L6-v2 "He plays chess" "A man is at a board game"
)";

struct Options {
  std::string query, query_file;
  std::int64_t top_k = 0;
  CompareSettings compare;
};

/// The queries: the one given, or the lines of a file.
std::vector<std::string> queries_of(const Options& options) {
  if (options.query_file.empty()) return {options.query};
  auto reader = TextReader::file(options.query_file, Tabs::space);
  std::vector<std::string> queries;
  while (auto query = reader.next()) queries.push_back(std::move(query->text));
  if (queries.empty()) throw FormatError(options.query_file + " has no queries: a line is one");
  return queries;
}

/// The best texts for one query, as they are printed. `query` is its number in JSON, -1 for none.
std::string ranked(const TopList& best, std::int64_t query, bool json) {
  std::string lines;
  std::int64_t place = 0;
  for (const auto& found : best.sorted()) {
    ++place;
    if (!json) {
      lines += ranked_row(place, found);
      continue;
    }
    lines += '{';
    if (query >= 0) append_fields(lines, "query", query);
    append_fields(
        lines, "rank", place, "index", found.index, "score",
        [&] { lines += fmt::format("{:.6f}", found.score); }, "text", found.text);
    lines += "}\n";
  }
  return lines;
}

void rank(const TextCommand& command, const Options& options, TextComparer& model,
          const PieceOptions& pieces, TextReader& reader, Output& out) {
  const auto queries = queries_of(options);
  auto limits = pieces.limits;
  limits.name = [](std::size_t i) { return fmt::format("query {}", i + 1); };
  suggesting_truncate([&] { as_usage([&] { model.keep_queries(queries, limits); }); });
  std::vector<TopList> best(queries.size(),
                            TopList(options.top_k > 0 ? static_cast<std::size_t>(options.top_k)
                                                      : std::numeric_limits<std::size_t>::max()));
  std::int64_t index = 0;
  for_each_piece(reader, pieces, [&](const Piece& piece) {
    const auto scores = as_usage([&] { return model.scores(piece); });
    for (std::size_t q = 0; q < queries.size(); ++q) {
      for (std::size_t i = 0; i < piece.items.size(); ++i) {
        best[q].add(scores[q][i], index + static_cast<std::int64_t>(i), piece.items[i].text);
      }
    }
    index += static_cast<std::int64_t>(piece.items.size());
  });
  const bool several = !options.query_file.empty();
  for (std::size_t q = 0; q < queries.size(); ++q) {
    if (several && !command.json) out.write(shortened(queries[q], terminal_width()) + '\n');
    out.write(ranked(best[q], several ? static_cast<std::int64_t>(q) : -1, command.json));
  }
}

void score_pairs(const TextCommand& command, const TextComparer& model, const PieceOptions& pieces,
                 TextReader& reader, Output& out) {
  for_each_piece(reader, pieces, [&](const Piece& piece) {
    for (const auto& item : piece.items) require_pair(item, reader);
    for (const double score : as_usage([&] { return model.pair_scores(piece); })) {
      out.write(command.json ? fmt::format("{{\"score\":{:.6f}}}\n", score)
                             : fmt::format("{:.4f}\n", score));
    }
  });
}

}  // namespace

void run_similarity(Arguments arguments) {
  TextCommand command("Ranks texts by likeness to a query, or scores pairs of texts.",
                      "cloze similarity");
  auto& app = command.app;
  Options options;
  command.text.add_texts(app, "with --query the texts to rank, else pairs parted by a tab");
  app.add_option("--query,-q", options.query, "the text to rank all others by")->type_name("TEXT");
  app.add_option("--query-file", options.query_file,
                 "a query a line: the texts are ranked for each")
      ->type_name("FILE");
  add_count(command.app, "--top-k", options.top_k, "show the best N only", 1,
            std::int64_t{1} << 40);
  app.add_option("--pooling", options.compare.pooling, "cls, mean, max, pooler or splade")
      ->type_name("NAME");
  app.add_option("--function", options.compare.function,
                 "cosine, dot, euclidean or manhattan (default: the model's, else cosine)")
      ->type_name("NAME");
  options.compare.query.add(app, "--prompt", "each query, or each text of a pair");
  options.compare.text.add(app, "--text-prompt", "each text that is ranked");
  add_count(app, "--dimensions", options.compare.dimensions,
            "keep the first N values of a vector (Matryoshka models)", 1, 1 << 20);
  command.text.add_limit(app);
  if (!command.parse(examples, arguments)) return;
  if (app.count("--query") > 0 && app.count("--query-file") > 0) {
    throw UsageError("give --query or --query-file, not both");
  }
  const bool ranks = app.count("--query") + app.count("--query-file") > 0;
  if (!ranks && options.top_k > 0) throw UsageError("--top-k goes with --query");

  command.text.single = ranks;  // texts to rank are single: a tab in one is white space
  auto reader = ranks ? command.text.reader() : command.text.pair_reader();
  if (!ranks && options.compare.text.given()) {
    throw UsageError("--text-prompt and --text-prompt-name go with --query");
  }
  const auto model = load_comparer(command, options.compare);
  PieceOptions pieces{.label = "comparing",
                      .bytes = command.model.batch_tokens * 16,
                      .limits = command.text.limits(model->reads()),
                      .bar = ranks ? ProgressOptions{} : beside_results()};
  auto out = Output::standard_output();
  if (ranks) {
    rank(command, options, *model, pieces, reader, out);
  } else {
    score_pairs(command, *model, pieces, reader, out);
  }
  out.finish();
}

}  // namespace cloze::cli
