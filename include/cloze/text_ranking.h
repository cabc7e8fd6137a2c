/// \file
/// Text ranking: how well two texts belong together, read by one model at once, as
/// sentence-transformers' `CrossEncoder` (transformers' "text-ranking") has it. The model is a
/// sequence classifier with one output, or two (no, yes).
///
///     const std::string name = "cross-encoder/ms-marco-MiniLM-L6-v2";
///     const auto encoder = cloze::CrossEncoder::from_pretrained(name);
///     const std::vector<std::string> passages{"It left on Monday.", "We open at nine."};
///     for (const auto& hit : encoder.rank("Where is my parcel?", passages, {.top_k = 10})) {
///       use(passages[hit.index], hit.score);
///     }
///
/// A logit says how well two texts belong together; a score is what the model's activation makes of
/// it. Ranking goes by logits, which differ where scores are all 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/prompts.h"
#include "cloze/text_classification.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How pairs are scored.
struct CrossEncoderOptions {
  /// `automatic`: what the model's activation makes of the logit (activation()). `sigmoid`,
  /// `softmax`: of one output its sigmoid, and 1; of two the probability of the second. `none`: the
  /// logit itself.
  ScoreFunction function_to_apply = ScoreFunction::automatic;
  TextLimits limits{};
  /// What goes before the first text of each pair, here or by its name among prompts(). Absent: the
  /// model's default prompt, if it has one.
  std::optional<std::string> prompt{};
  std::optional<std::string> prompt_name{};
};

/// How the documents of a query are ranked.
struct RankOptions {
  std::int64_t top_k = 0;  ///< the best documents; 0: all
  ScoreFunction function_to_apply = ScoreFunction::automatic;
  TextLimits limits{};  ///< of the query with one document; `name` names the document
  std::optional<std::string> prompt{};  ///< before the query, as above
  std::optional<std::string> prompt_name{};
};

/// A document with its score for the query.
struct RankedDocument {
  std::size_t index = 0;  ///< of the document (sentence-transformers' `corpus_id`)
  double score = 0;
  double logit = 0;  ///< what they are ranked by
};

/// Scores pairs of texts with a model that reads both at once; immutable, and safe to share between
/// threads.
class CrossEncoder : public Pipeline<BertForSequenceClassification> {
 public:
  /// Throws as Pipeline does; ModelError also for a model with more than two outputs, and for an
  /// activation or module of sentence-transformers that Cloze does not have.
  [[nodiscard]] static CrossEncoder from_pretrained(const std::filesystem::path& directory_or_name,
                                                    const PipelineOptions& options = {});
  CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer,
               std::int64_t batch_tokens = 8192);

  /// The logit of each pair; of two outputs the second less the first. `function_to_apply` means
  /// nothing here. Throws ArgumentError for a text that is not a pair and for an unknown prompt,
  /// TextTooLong, Cancelled.
  [[nodiscard]] std::vector<double> logits(const Texts& pairs,
                                           const CrossEncoderOptions& options = {},
                                           const ProgressCallback& progress = {}) const;

  /// The score that a logit means.
  [[nodiscard]] double score(double logit,
                             ScoreFunction function_to_apply = ScoreFunction::automatic) const;

  /// The score of each pair. Throws as logits does.
  [[nodiscard]] std::vector<double> predict(const Texts& pairs,
                                            const CrossEncoderOptions& options = {},
                                            const ProgressCallback& progress = {}) const;

  /// The documents, best first for the query; equal logits in order. Throws ArgumentError for a
  /// negative `top_k` and documents that are pairs; TextTooLong; Cancelled.
  [[nodiscard]] std::vector<RankedDocument> rank(std::string_view query, const Texts& documents,
                                                 const RankOptions& options = {},
                                                 const ProgressCallback& progress = {}) const;

  /// What becomes of a logit: "Sigmoid", "Identity", ... as the directory says; where it says
  /// nothing "Sigmoid", and "Identity" for a regression model.
  [[nodiscard]] std::string_view activation() const;
  /// Tokens of a pair: what the directory states (max_seq_length), else what tokenizer
  /// (model_max_length) and model read, whichever is less.
  [[nodiscard]] std::int64_t max_length() const;
  [[nodiscard]] const Prompts& prompts() const;

 private:
  struct [[gnu::visibility("hidden")]] Settings;
  CrossEncoder(BertForSequenceClassification model, Tokenizer tokenizer, std::int64_t batch_tokens,
               std::shared_ptr<const Settings> settings);
  std::shared_ptr<const Settings> settings_;
};

}  // namespace cloze

#pragma GCC visibility pop
