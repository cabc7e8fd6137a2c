/// \file
/// What compares texts by vectors that a model makes of each apart: of a sentence, of the words of a
/// vocabulary (SPLADE), or of each token (ColBERT).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/text_command.h"

namespace cloze::cli {

struct CompareSettings {
  PromptOptions query{};  ///< of queries, and of the first text of a pair
  PromptOptions text{};   ///< of the texts that a query is compared to
  /// What is not stated is the prompt of a query or document, as sentence-transformers' encode_query
  /// and encode_document take it; otherwise the model's default, as its encode does.
  bool role_prompts = false;
  std::string pooling{}, function{};  ///< instead of the model's; empty: the model's
  std::int64_t dimensions = 0;        ///< 0: the model's
};

class TextComparer {
 public:
  TextComparer() = default;
  TextComparer(const TextComparer&) = delete;
  TextComparer(TextComparer&&) = delete;
  TextComparer& operator=(const TextComparer&) = delete;
  TextComparer& operator=(TextComparer&&) = delete;
  virtual ~TextComparer() = default;

  /// Tokens that the model reads.
  [[nodiscard]] virtual std::int64_t reads() const = 0;
  /// Makes the queries' vectors, and keeps them in place of those before.
  virtual void keep_queries(const std::vector<std::string>& queries, const TextLimits& limits) = 0;
  /// The similarity of each kept query to each text of a piece: [queries][items].
  [[nodiscard]] virtual std::vector<std::vector<double>> scores(const Piece& piece) const = 0;
  /// The similarity of the two texts of each item. To a model of queries and documents the first is
  /// the query.
  [[nodiscard]] virtual std::vector<double> pair_scores(const Piece& piece) const = 0;
};

/// Loads the command's model as what its directory says it is: a SparseEncoder, a
/// MultiVectorEncoder, or else a SentenceTransformer; as the last one where a pooling is named, but
/// for "splade". Prints its warnings. Throws UsageError for settings that such a model does not
/// have, and as those classes do.
[[nodiscard]] std::unique_ptr<TextComparer> load_comparer(const TextCommand& command,
                                                          const CompareSettings& settings);

}  // namespace cloze::cli
