/// \file
/// cloze similarity: rank texts by likeness to a query, or score pairs.
#include "cloze/similarity.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cloze/output.h"
#include "cloze/sentence_transformer.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
Scores are cosines of sentence vectors, 1 for the same direction, unless the directory names another
function (dot, euclidean or manhattan: the last two are distances with a minus). Vectors are made as a
sentence-transformers directory says, by the mean of the tokens elsewhere. --prompt and --prompt-name are
for queries, --text-prompt and --text-prompt-name for the texts that are ranked; with pairs, --prompt is for both.

Examples:
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" "a puppy plays" "taxes are due"
  cloze similarity --model all-MiniLM-L6-v2 --query "a happy dog" --input sentences.txt --top-k 10
  cloze similarity --model ./e5 --query "who wrote it" --prompt "query: " --text-prompt "passage: " --input docs.txt
  cloze similarity --model all-MiniLM-L6-v2 --query-file questions.txt --input sentences.txt --top-k 5
  printf 'one\tfirst\ntwo\tthree\n' | cloze similarity --model all-MiniLM-L6-v2
  cloze similarity --model all-MiniLM-L6-v2 "He plays chess" "A man is at a board game"
)";

struct Options {
  std::string query, query_file, pooling, function;
  std::int64_t top_k = 0, dimensions = 0;
  PromptOptions prompt, text_prompt;
};

SentenceTransformer load(const TextCommand& command, const Options& asked) {
  SentenceTransformerOptions options{.pipeline = command.model.pipeline_options()};
  if (!asked.pooling.empty()) {
    options.pooling = as_usage([&] { return pooling_from(asked.pooling); });
  }
  if (options.pooling == Pooling::none) throw UsageError("similarity needs a pooling, not none");
  if (asked.dimensions > 0) options.truncate_dim = asked.dimensions;
  if (!asked.function.empty()) {
    options.similarity_fn = as_usage([&] { return similarity_function_from(asked.function); });
  }
  auto model = SentenceTransformer::from_pretrained(command.model.root(), options);
  tell_warnings(model.warnings());
  return model;
}

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

void rank(const TextCommand& command, const Options& options, const SentenceTransformer& model,
          const PieceOptions& pieces, TextReader& reader, Output& out) {
  const auto queries = queries_of(options);
  auto limits = sentence_options(pieces.limits, options.prompt);
  limits.name = [](std::size_t i) { return fmt::format("query {}", i + 1); };
  const auto vectors =
      suggesting_truncate([&] { return as_usage([&] { return model.encode(queries, limits); }); });
  std::vector<TopList> best(queries.size(),
                            TopList(options.top_k > 0 ? static_cast<std::size_t>(options.top_k)
                                                      : std::numeric_limits<std::size_t>::max()));
  std::int64_t index = 0;
  for_each_piece(reader, pieces, [&](const Piece& piece) {
    const auto texts = as_usage([&] {
      return model.encode(piece.items, sentence_options(piece.limits, options.text_prompt),
                          piece.progress);
    });
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto columns = static_cast<std::size_t>(vectors.dim(1));
      const auto scores = similarities(texts, vectors.values<float>().subspan(q * columns, columns),
                                       model.similarity_fn());
      for (std::size_t i = 0; i < scores.size(); ++i) {
        best[q].add(scores[i], index + static_cast<std::int64_t>(i), piece.items[i].text);
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

void score_pairs(const TextCommand& command, const Options& options,
                 const SentenceTransformer& model, const PieceOptions& pieces, TextReader& reader,
                 Output& out) {
  for_each_piece(reader, pieces, [&](const Piece& piece) {
    std::vector<std::string_view> sides;
    for (const auto& item : piece.items) {
      require_pair(item, reader);
      sides.insert(sides.end(), {item.text, *item.pair});
    }
    auto limits = sentence_options(piece.limits, options.prompt);
    limits.name = [&](std::size_t side) { return piece.limits.name(side / 2); };
    const auto vectors = as_usage([&] { return model.encode(sides, limits, piece.progress); });
    for (const double score : pair_similarities(vectors, model.similarity_fn())) {
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
  app.add_option("--pooling", options.pooling, "cls, mean, max or pooler")->type_name("NAME");
  app.add_option("--function", options.function,
                 "cosine, dot, euclidean or manhattan (default: the model's, else cosine)")
      ->type_name("NAME");
  options.prompt.add(app, "--prompt", "each query, or each text of a pair");
  options.text_prompt.add(app, "--text-prompt", "each text that is ranked");
  add_count(app, "--dimensions", options.dimensions,
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
  if (!ranks && (options.text_prompt.prompt || options.text_prompt.prompt_name)) {
    throw UsageError("--text-prompt and --text-prompt-name go with --query");
  }
  const auto model = load(command, options);
  PieceOptions pieces{.label = "comparing",
                      .bytes = command.model.batch_tokens * 16,
                      .limits = command.text.limits(model.config().max_position_embeddings),
                      .bar = ranks ? ProgressOptions{} : beside_results()};
  auto out = Output::standard_output();
  if (ranks) {
    rank(command, options, model, pieces, reader, out);
  } else {
    score_pairs(command, options, model, pieces, reader, out);
  }
  out.finish();
}

}  // namespace cloze::cli
