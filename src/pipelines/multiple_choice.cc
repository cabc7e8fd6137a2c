#include "cloze/multiple_choice.h"

#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "pipelines/batches.h"
#include "pipelines/scores.h"

namespace cloze {

MultipleChoicePipeline::MultipleChoicePipeline(BertForMultipleChoice model, Tokenizer tokenizer,
                                               std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {}

MultipleChoicePipeline::MultipleChoicePipeline(const std::filesystem::path& directory_or_name,
                                               const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {}

MultipleChoicePipeline MultipleChoicePipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::vector<Choice> MultipleChoicePipeline::operator()(std::span<const Prompt> prompts,
                                                       const MultipleChoiceOptions& options,
                                                       const ProgressCallback& progress) const {
  std::vector<TextPair> pairs;
  std::vector<std::size_t> prompt_of;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    if (prompts[p].choices.empty()) {
      throw ArgumentError(
          fmt::format("{} has no choices", internal::name_of_text(options.limits.name, p)));
    }
    for (const auto choice : prompts[p].choices) {
      pairs.push_back({prompts[p].text, choice});
      prompt_of.push_back(p);
    }
  }
  auto limits = options.limits;
  limits.name = [&](std::size_t pair) {
    return internal::name_of_text(options.limits.name, prompt_of[pair]);
  };
  const auto sequences = internal::tokenize(tokenizer(), pairs, limits, max_length());
  const auto logits = internal::sequence_rows(
      sequences, {"choosing", "prompts", batch_tokens(), progress, prompt_of},
      [&](const Batch& batch) { return model()(batch, 1); });
  std::vector<Choice> results;
  auto row = logits.begin();
  for (const auto& prompt : prompts) {
    std::vector<float> values;
    for (std::size_t c = 0; c < prompt.choices.size(); ++c, ++row) {
      values.push_back(row->values<float>()[0]);
    }
    auto scores = label_scores(values, ScoreKind::softmax);
    const auto best = best_labels(scores, 1).front().label;
    results.push_back({.choice = best, .scores = std::move(scores)});
  }
  return results;
}

}  // namespace cloze
