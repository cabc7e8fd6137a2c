/// \file
/// Zero-shot classification: labels that the model was never trained on, by a model of natural
/// language inference (NLI). Each label becomes a hypothesis, and its score is how surely the text
/// entails it: the formula and the results of transformers' `ZeroShotClassificationPipeline`.
///
///     const auto classify = cloze::ZeroShotClassificationPipeline::from_pretrained("./mnli");
///     const std::vector<std::string> texts{"The match ended in a draw."};
///     const std::vector<std::string> labels{"sport", "politics"};
///     const auto best = classify(texts, labels)[0][0];   // best.label, best.score
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/text_classification.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How candidate labels are scored.
struct ZeroShotClassificationOptions {
  std::string hypothesis_template = "This example is {}.";  ///< {} is where the label goes
  /// Each label stands alone: softmax of its entailment against its contradiction. Otherwise, and
  /// unless there is but one label, softmax of the entailment logits over all labels.
  bool multi_label = false;
  /// Of a text with a hypothesis. `truncate` cuts the text alone, never the hypothesis.
  TextLimits limits{};
};

/// Labels texts with labels that the model was not trained for; immutable, and safe to share
/// between threads.
class ZeroShotClassificationPipeline : public Pipeline<BertForSequenceClassification> {
 public:
  /// Throws as Pipeline does; ModelError also for a model without a label that begins with
  /// "entail" (in any case of letters), where transformers takes the last label with a warning,
  /// and for one with a single label.
  [[nodiscard]] static ZeroShotClassificationPipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  ZeroShotClassificationPipeline(BertForSequenceClassification model, Tokenizer tokenizer,
                                 std::int64_t batch_tokens = 8192);

  /// All candidate labels of each text, best first, equal scores in the order given; `index` is
  /// that of the candidate. Throws ArgumentError without labels, for a template without {} and for
  /// texts that are pairs; TextTooLong; Cancelled.
  [[nodiscard]] std::vector<std::vector<LabelScore>> operator()(
      const Texts& texts, std::span<const std::string> candidate_labels,
      const ZeroShotClassificationOptions& options = {},
      const ProgressCallback& progress = {}) const;

  /// The output of the model that means "entails", and the one taken for "contradicts": the first,
  /// or the last where the first is "entails".
  [[nodiscard]] std::size_t entailment_id() const;
  [[nodiscard]] std::size_t contradiction_id() const;

 private:
  ZeroShotClassificationPipeline(const std::filesystem::path& directory_or_name,
                                 const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
