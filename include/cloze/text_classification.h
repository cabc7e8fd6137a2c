/// \file
/// Text classification: one label of several, several labels, or a value for a text or pair, as
/// transformers' `TextClassificationPipeline` gives them.
///
///     const auto classify = cloze::TextClassificationPipeline::from_pretrained("./sentiment");
///     const std::vector<std::string> texts{"What a film!"};
///     const auto best = classify(texts)[0][0];    // best.label, best.score
///     const auto all = classify(texts, {.top_k = 0});
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What makes scores of logits (transformers' `function_to_apply`).
enum class ScoreFunction : std::uint8_t {
  automatic,  ///< by the model's config: none for problem_type "regression"; sigmoid for
              ///< "multi_label_classification" or a single output; else softmax
  softmax,    ///< probabilities of labels that exclude each other
  sigmoid,    ///< a probability of each label by itself
  none,       ///< the logit itself
};

/// How texts are labelled.
struct TextClassificationOptions {
  std::int64_t top_k = 1;  ///< the best labels of each text; 0: all
  ScoreFunction function_to_apply = ScoreFunction::automatic;
  TextLimits limits{};
};

/// A label with its score.
struct LabelScore {
  std::string label{};    ///< as the model's `id2label` names it
  double score = 0;       ///< see ScoreFunction
  std::size_t index = 0;  ///< of the label in `id2label`
};

/// Labels texts and pairs; immutable, and safe to share between threads.
class TextClassificationPipeline : public Pipeline<BertForSequenceClassification> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static TextClassificationPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  TextClassificationPipeline(BertForSequenceClassification model, Tokenizer tokenizer,
                             std::int64_t batch_tokens = 8192);

  /// The best labels of each text or pair, best first, equal scores in the order of `id2label`.
  /// Throws ArgumentError for a negative `top_k`, TextTooLong, Cancelled.
  [[nodiscard]] std::vector<std::vector<LabelScore>> operator()(
      const Texts& texts, const TextClassificationOptions& options = {},
      const ProgressCallback& progress = {}) const;

 private:
  TextClassificationPipeline(const std::filesystem::path& directory_or_name,
                             const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
