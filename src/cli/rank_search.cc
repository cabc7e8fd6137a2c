#include "cli/rank_search.h"

#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "cli/format.h"
#include "cloze/multi_vector_encoder.h"
#include "cloze/output.h"
#include "cloze/sparse_encoder.h"
#include "cloze/top_list.h"

namespace cloze::cli {
namespace {

/// The scores of a piece's candidates.
using Score = std::function<Tensor(const Piece&)>;

void rank(const TextCommand& command, const RankSettings& settings, std::int64_t reads,
          TextReader& reader, const Score& score) {
  TopList best(settings.top_k > 0 ? static_cast<std::size_t>(settings.top_k)
                                  : std::numeric_limits<std::size_t>::max());
  std::int64_t index = 0;
  for_each_piece(
      reader,
      {.label = "ranking", .bytes = command.piece_bytes(), .limits = command.text.limits(reads)},
      [&](const Piece& piece) {
        const auto scores = score(piece);
        std::size_t i = 0;
        for (const float each : scores.values<float>()) {
          best.add(each, index++, piece.items[i++].text);
        }
      });
  auto out = Output::standard_output();
  std::int64_t place = 0;
  for (const auto& found : best.sorted()) {
    ++place;
    std::string line;
    if (command.json) {
      append_object(line, "rank", place, "index", found.index, "score",
                    static_cast<float>(found.score), "text", found.text);
      out.write(line + '\n');
    } else {
      out.write(ranked_row(place, found));
    }
  }
  out.finish();
}

/// The prompt of this name, or none: as sentence-transformers encodes queries and documents.
std::string prompt_of(const Prompts& prompts, const std::string& name) {
  const auto found = prompts.prompts.find(name);
  return found == prompts.prompts.end() ? "" : found->second;
}

void rank_sparse(const TextCommand& command, const RankSettings& settings, TextReader& reader) {
  const auto model = SparseEncoder::from_pretrained(command.model.root(),
                                                    {.pipeline = command.model.pipeline_options()});
  tell_warnings(model.warnings());
  SparseEncodeOptions of_query;
  settings.prompt.apply_to(of_query);
  if (!of_query.prompt && !of_query.prompt_name) {
    of_query.prompt = prompt_of(model.prompts(), "query");
  }
  const std::vector<std::string> one{settings.query};
  const auto query = as_usage([&] { return model.encode(one, of_query); });
  rank(command, settings, model.config().max_position_embeddings, reader, [&](const Piece& piece) {
    SparseEncodeOptions options{.max_length = piece.limits.max_length,
                                .name = piece.limits.name,
                                .prompt = prompt_of(model.prompts(), "document")};
    if (piece.limits.truncate) options.truncate = true;
    return model.similarity(query, model.encode(piece.items, options, piece.progress));
  });
}

void rank_multi_vector(const TextCommand& command, const RankSettings& settings,
                       TextReader& reader) {
  const auto model =
      MultiVectorEncoder::from_pretrained(command.model.root(), command.model.pipeline_options());
  tell_warnings(model.warnings());
  MultiVectorEncodeOptions of_query{.role = TextRole::query};
  settings.prompt.apply_to(of_query);
  const std::vector<std::string> one{settings.query};
  const auto query = as_usage([&] { return model.encode(one, of_query); });
  rank(command, settings, model.config().max_position_embeddings, reader, [&](const Piece& piece) {
    return model.similarity(
        query, model.encode(piece.items,
                            {.max_length = piece.limits.max_length, .name = piece.limits.name},
                            piece.progress));
  });
}

}  // namespace

void rank_by_vectors(const TextCommand& command, VectorKind kind, const RankSettings& settings,
                     TextReader& reader) {
  if (kind == VectorKind::sparse) {
    rank_sparse(command, settings, reader);
  } else {
    rank_multi_vector(command, settings, reader);
  }
}

}  // namespace cloze::cli
