/// \file
/// cloze rank: candidates by how well they suit a query.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/text_command.h"
#include "cli/text_comparer.h"
#include "cloze/output.h"
#include "cloze/sentence_settings.h"
#include "cloze/text_ranking.h"
#include "cloze/top_list.h"

namespace cloze::cli {
namespace {

constexpr const char* examples = R"(
A cross-encoder reads query and candidate together. Candidates are ranked by its logit; the score is what the
model's activation makes of that: the probability that the two belong together (Sigmoid), or the logit itself
(Identity), as its directory says (cloze info). With --top-k memory does not grow with the candidates.
JSON: {"rank","index","score","logit","text"}, best first.

A SparseEncoder (SPLADE) and a MultiVectorEncoder (ColBERT) read query and candidates apart: the score is the
similarity of their vectors, of a ColBERT MaxSim. Then there is no logit.

Examples:
  cloze rank --model ./responses --query "Where is my parcel?" "It left on Monday." "We open at nine."
  cloze rank --model ./passages --query "who wrote Frankenstein" --input passages.txt --top-k 10
)";

struct RankOptions {
  std::string query, activation;
  std::int64_t top_k = 0;
  PromptOptions prompt;  ///< of the query
};

/// How candidates are scored.
struct Scoring {
  std::int64_t reads = 0;  ///< tokens that the model reads
  std::function<std::vector<double>(const Piece&)> scores{};
  /// The score that is shown for one by which candidates are ranked, a logit; empty: that itself.
  std::function<double(double logit)> shown{};
};

/// By a model that reads query and candidate together.
Scoring by_cross_encoder(const TextCommand& command, const RankOptions& options) {
  const auto encoder = command.load<CrossEncoder>();
  const auto function = options.activation == "identity"  ? ScoreFunction::none
                        : options.activation == "sigmoid" ? ScoreFunction::sigmoid
                                                          : ScoreFunction::automatic;
  return {.reads = encoder.config().max_position_embeddings,
          .scores =
              [encoder, options](const Piece& piece) {
                std::vector<TextPair> pairs;
                pairs.reserve(piece.items.size());
                for (const auto& item : piece.items) pairs.push_back({options.query, item.text});
                CrossEncoderOptions encode{.limits = piece.limits};
                options.prompt.apply_to(encode);
                const auto logits = encoder.logits(pairs, encode, piece.progress);
                return std::vector<double>(logits.begin(), logits.end());
              },
          .shown = [encoder, function](double logit) { return encoder.score(logit, function); }};
}

/// By a model that makes vectors of each apart.
Scoring by_vectors(const TextCommand& command, const RankOptions& options) {
  if (!options.activation.empty()) throw UsageError("--activation goes with a cross-encoder");
  const std::shared_ptr<TextComparer> model =
      load_comparer(command, {.query = options.prompt, .role_prompts = true});
  const TextLimits limits{.name = [](std::size_t) { return "the query"; }};
  suggesting_truncate([&] { as_usage([&] { model->keep_queries({options.query}, limits); }); });
  return {.reads = model->reads(),
          .scores = [model](const Piece& piece) { return model->scores(piece).front(); }};
}

Scoring scoring_of(const TextCommand& command, const RankOptions& options) {
  const auto kind = vector_kind(command.model.root());
  const bool vectors = kind == VectorKind::sparse || kind == VectorKind::multi_vector;
  return vectors ? by_vectors(command, options) : by_cross_encoder(command, options);
}

std::string json_line(std::int64_t place, const ScoredText& found, std::optional<double> logit) {
  std::string line;
  line += '{';
  append_fields(line, "rank", place, "index", found.index, "score",
                static_cast<float>(found.score));
  if (logit) append_fields(line, "logit", static_cast<float>(*logit));
  append_fields(line, "text", found.text);
  return line + "}\n";
}

}  // namespace

void run_rank(Arguments arguments) {
  TextCommand command("Ranks candidates (responses, passages) for a query.", "cloze rank");
  RankOptions options;
  command.text.add_texts(command.app, "the candidates");
  command.app.add_option("--query,-q", options.query, "what they are ranked for")
      ->type_name("TEXT")
      ->required();
  add_count(command.app, "--top-k,-k", options.top_k, "show the best N only", 1,
            std::int64_t{1} << 40);
  options.prompt.add(command.app, "--prompt", "the query");
  command.app
      .add_option("--activation", options.activation, "identity or sigmoid (default: the model's)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"identity", "sigmoid"}));
  command.text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;
  command.text.single = true;
  auto reader = command.text.reader();
  const auto scoring = scoring_of(command, options);

  TopList best(options.top_k > 0 ? static_cast<std::size_t>(options.top_k)
                                 : std::numeric_limits<std::size_t>::max());
  std::int64_t index = 0;
  for_each_piece(reader,
                 {.label = "ranking",
                  .bytes = command.piece_bytes(),
                  .limits = command.text.limits(scoring.reads)},
                 [&](const Piece& piece) {
                   const auto scores = as_usage([&] { return scoring.scores(piece); });
                   for (std::size_t i = 0; i < scores.size(); ++i) {
                     best.add(scores[i], index++, piece.items[i].text);
                   }
                 });
  auto out = Output::standard_output();
  std::int64_t place = 0;
  for (auto& found : best.sorted()) {
    std::optional<double> logit;
    if (scoring.shown) {
      logit = found.score;
      found.score = scoring.shown(found.score);
    }
    ++place;
    out.write(command.json ? json_line(place, found, logit) : ranked_row(place, found));
  }
  out.finish();
}

}  // namespace cloze::cli
