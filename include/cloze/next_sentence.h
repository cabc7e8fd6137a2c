/// \file
/// Next sentence prediction: does the second text of a pair follow the first? (transformers'
/// `BertForNextSentencePrediction`, which has no pipeline there.)
///
///     const auto predict = cloze::NextSentencePipeline::from_pretrained("bert-base-uncased");
///     const std::vector<cloze::TextPair> pairs{{"I was hungry.", "So I ate an apple."}};
///     const double probability = predict(pairs)[0].is_next;
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// How pairs are read.
struct NextSentenceOptions {
  TextLimits limits{};
};

/// How likely the second text of a pair follows the first.
struct NextSentenceScore {
  double is_next = 0;  ///< probability that the second text follows the first
};

/// Tells whether a text follows another; immutable, and safe to share between threads.
class NextSentencePipeline : public Pipeline<BertForNextSentencePrediction> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static NextSentencePipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  NextSentencePipeline(BertForNextSentencePrediction model, Tokenizer tokenizer,
                       std::int64_t batch_tokens = 8192);

  /// Throws ArgumentError for a text that is not a pair, TextTooLong, Cancelled.
  [[nodiscard]] std::vector<NextSentenceScore> operator()(
      const Texts& pairs, const NextSentenceOptions& options = {},
      const ProgressCallback& progress = {}) const;

 private:
  NextSentencePipeline(const std::filesystem::path& directory_or_name,
                       const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
