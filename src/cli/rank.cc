/// \file
/// cloze rank: candidates by how well they suit a query.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/format.h"
#include "cli/rank_search.h"
#include "cli/text_command.h"
#include "cloze/output.h"
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

}  // namespace

void run_rank(Arguments arguments) {
  TextCommand command("Ranks candidates (responses, passages) for a query.", "cloze rank");
  std::string activation;
  RankSettings settings;
  // Not a structured binding: clang's lambdas do not capture its names.
  auto& query = settings.query;
  auto& top_k = settings.top_k;
  auto& prompt = settings.prompt;
  command.text.add_texts(command.app, "the candidates");
  command.app.add_option("--query,-q", query, "what they are ranked for")
      ->type_name("TEXT")
      ->required();
  add_count(command.app, "--top-k,-k", top_k, "show the best N only", 1, std::int64_t{1} << 40);
  prompt.add(command.app, "--prompt", "the query");
  command.app.add_option("--activation", activation, "identity or sigmoid (default: the model's)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"identity", "sigmoid"}));
  command.text.add_limit(command.app);
  if (!command.parse(examples, arguments)) return;
  command.text.single = true;
  auto reader = command.text.reader();
  const auto kind = vector_kind(command.model.root());
  if (kind == VectorKind::sparse || kind == VectorKind::multi_vector) {
    if (!activation.empty()) throw UsageError("--activation goes with a cross-encoder");
    return rank_by_vectors(command, kind, settings, reader);
  }
  const auto encoder = command.load<CrossEncoder>();
  const auto limits = command.text.limits(encoder.config().max_position_embeddings);
  const auto function = activation == "identity"  ? ScoreFunction::none
                        : activation == "sigmoid" ? ScoreFunction::sigmoid
                                                  : ScoreFunction::automatic;

  TopList best(top_k > 0 ? static_cast<std::size_t>(top_k)
                         : std::numeric_limits<std::size_t>::max());
  std::int64_t index = 0;
  for_each_piece(reader, {.label = "ranking", .bytes = command.piece_bytes(), .limits = limits},
                 [&](const Piece& piece) {
                   std::vector<TextPair> pairs;
                   pairs.reserve(piece.items.size());
                   for (const auto& item : piece.items) pairs.push_back({query, item.text});
                   CrossEncoderOptions options{.limits = piece.limits};
                   prompt.apply_to(options);
                   const auto logits =
                       as_usage([&] { return encoder.logits(pairs, options, piece.progress); });
                   for (std::size_t i = 0; i < logits.size(); ++i) {
                     best.add(logits[i], index++, piece.items[i].text);
                   }
                 });
  auto out = Output::standard_output();
  std::int64_t place = 0;
  for (auto& candidate : best.sorted()) {
    ++place;
    std::string line;
    const auto logit = std::exchange(candidate.score, encoder.score(candidate.score, function));
    if (command.json) {
      append_object(line, "rank", place, "index", candidate.index, "score",
                    static_cast<float>(candidate.score), "logit", static_cast<float>(logit), "text",
                    candidate.text);
      out.write(line + '\n');
    } else {
      out.write(ranked_row(place, candidate));
    }
  }
  out.finish();
}

}  // namespace cloze::cli
