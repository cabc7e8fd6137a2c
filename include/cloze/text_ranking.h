/// \file
/// Text ranking: how well two texts belong together, read by one model at once, as
/// sentence-transformers' `CrossEncoder` (transformers' "text-ranking") has it. The model is a
/// sequence classifier with one output, or two (no, yes).
///
///     const auto encoder =
///     cloze::CrossEncoder::from_pretrained("cross-encoder/ms-marco-MiniLM-L6-v2"); const
///     std::vector<std::string> passages{"It left on Monday.", "We open at nine."}; for (const
///     auto& hit : encoder.rank("Where is my parcel?", passages, {.top_k = 10})) {
///       use(passages[hit.index], hit.score);
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/text_classification.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How pairs are scored.
struct CrossEncoderOptions {
  /// `automatic`: the probability that the texts belong together (sigmoid of one output, softmax of
  /// two), or the value of a regression model. `none`: the logit, as sentence-transformers gives it
  /// for models that say so.
  ScoreFunction function_to_apply = ScoreFunction::automatic;
  TextLimits limits{};
};

/// How the documents of a query are ranked.
struct RankOptions {
  std::int64_t top_k = 0;  ///< the best documents; 0: all
  ScoreFunction function_to_apply = ScoreFunction::automatic;
  TextLimits limits{};  ///< of the query with one document; `name` names the document
};

/// A document with its score for the query.
struct RankedDocument {
  std::size_t index = 0;  ///< of the document (sentence-transformers' `corpus_id`)
  double score = 0;
};

/// Scores pairs of texts with a model that reads both at once; immutable, and safe to share between
/// threads.
class CrossEncoder : public Pipeline<BertForSequenceClassification> {
 public:
  /// Throws as Pipeline does; ModelError also for a model with more than two outputs.
  [[nodiscard]] static CrossEncoder from_pretrained(const std::filesystem::path& directory_or_name,
                                                    const PipelineOptions& options = {});
  CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer,
               std::int64_t batch_tokens = 8192);

  /// The score of each pair. Throws ArgumentError for a text that is not a pair, TextTooLong,
  /// Cancelled.
  [[nodiscard]] std::vector<double> predict(const Texts& pairs,
                                            const CrossEncoderOptions& options = {},
                                            const ProgressCallback& progress = {}) const;

  /// The documents, best first for the query; equal scores in order. Throws ArgumentError for a
  /// negative `top_k` and documents that are pairs; TextTooLong; Cancelled.
  [[nodiscard]] std::vector<RankedDocument> rank(std::string_view query, const Texts& documents,
                                                 const RankOptions& options = {},
                                                 const ProgressCallback& progress = {}) const;

 private:
  CrossEncoder(const std::filesystem::path& directory_or_name, const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
