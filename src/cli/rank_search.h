/// \file
/// What `cloze rank` does with models that make vectors of query and candidates apart.
#pragma once

#include <cstdint>
#include <string>

#include "cli/text_command.h"
#include "cloze/sentence_settings.h"

namespace cloze::cli {

struct RankSettings {
  std::string query;
  std::int64_t top_k = 0;  ///< 0: all
  PromptOptions prompt;    ///< of the query
};

/// Ranks the candidates by their similarity to the query: sparse vectors by the model's function,
/// vectors of tokens by MaxSim. Throws as SparseEncoder and MultiVectorEncoder do.
void rank_by_vectors(const TextCommand& command, VectorKind kind, const RankSettings& settings,
                     TextReader& reader);

}  // namespace cloze::cli
