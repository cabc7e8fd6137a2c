/// \file
/// Multiple choice: which of several continuations of a prompt is right (transformers'
/// `BertForMultipleChoice`, which has no pipeline there).
///
///     const auto choose = cloze::MultipleChoicePipeline::from_pretrained("./swag");
///     const std::vector<std::string_view> endings{"it rained.", "it was noon."};
///     const std::vector<cloze::Prompt> prompts{{"She opened the umbrella because", endings}};
///     const auto chosen = choose(prompts)[0];   // chosen.choice, chosen.scores
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"

#pragma GCC visibility push(default)
namespace cloze {

/// A prompt and what may follow it.
struct Prompt {
  std::string_view text;
  std::span<const std::string_view> choices;
};

/// How continuations are read.
struct MultipleChoiceOptions {
  TextLimits limits{};  ///< of a prompt with one choice; `name` names the prompt
};

/// How likely a continuation is the right one.
struct Choice {
  std::size_t choice = 0;        ///< the best, from 0; of equal ones the first
  std::vector<double> scores{};  ///< probability of each choice; together 1
};

/// Chooses among continuations; immutable, and safe to share between threads.
class MultipleChoicePipeline : public Pipeline<BertForMultipleChoice> {
 public:
  /// Throws as Pipeline does.
  [[nodiscard]] static MultipleChoicePipeline from_pretrained(
      const std::filesystem::path& directory_or_name, const PipelineOptions& options = {});
  MultipleChoicePipeline(BertForMultipleChoice model, Tokenizer tokenizer,
                         std::int64_t batch_tokens = 8192);

  /// Throws ArgumentError for a prompt without choices, TextTooLong, Cancelled.
  [[nodiscard]] std::vector<Choice> operator()(std::span<const Prompt> prompts,
                                               const MultipleChoiceOptions& options = {},
                                               const ProgressCallback& progress = {}) const;

 private:
  MultipleChoicePipeline(const std::filesystem::path& directory_or_name,
                         const PipelineOptions& options);
};

}  // namespace cloze

#pragma GCC visibility pop
