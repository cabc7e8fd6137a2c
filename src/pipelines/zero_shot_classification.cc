#include "cloze/zero_shot_classification.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "datasets/labels.h"
#include "pipelines/batches.h"
#include "pipelines/scores.h"

namespace cloze {
namespace {

constexpr std::string_view kPlace = "{}";

std::string hypothesis_of(const std::string& form, std::string_view label) {
  std::string text;
  std::size_t from = 0;
  for (auto at = form.find(kPlace); at != std::string::npos; at = form.find(kPlace, from)) {
    text.append(form, from, at - from).append(label);
    from = at + kPlace.size();
  }
  return text.append(form, from);
}

/// The first label that begins with "entail", in any case of letters.
std::optional<std::size_t> find_entailment(const BertConfig& config) {
  constexpr std::string_view prefix = "entail";
  for (std::size_t i = 0; i < static_cast<std::size_t>(config.num_labels()); ++i) {
    const auto label = label_of(config, i);
    const bool found =
        label.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), label.begin(),
                                                    [](char a, char b) { return a == (b | 0x20); });
    if (found) return i;
  }
  return std::nullopt;
}

void require_entailment(const BertConfig& config, std::string_view model) {
  if (config.num_labels() > 1 && find_entailment(config)) return;
  throw WrongPipeline(
      fmt::format("{} has no label that begins with \"entail\" (its labels are {}): zero-shot "
                  "classification needs a model of natural language inference; label with this one "
                  "by TextClassificationPipeline",
                  model, excerpt_of_list(LabelSet::of(config).names())),
      "text-classification");
}

}  // namespace

ZeroShotClassificationPipeline::ZeroShotClassificationPipeline(BertForSequenceClassification model,
                                                               Tokenizer tokenizer,
                                                               std::int64_t batch_tokens)
    : Pipeline(std::move(model), std::move(tokenizer), batch_tokens) {
  require_entailment(config(), "this model");
}

ZeroShotClassificationPipeline::ZeroShotClassificationPipeline(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options)
    : Pipeline(directory_or_name, options) {
  require_entailment(config(), directory_or_name.string());
}

ZeroShotClassificationPipeline ZeroShotClassificationPipeline::from_pretrained(
    const std::filesystem::path& directory_or_name, const PipelineOptions& options) {
  return {directory_or_name, options};
}

std::size_t ZeroShotClassificationPipeline::entailment_id() const {
  return find_entailment(config()).value();
}

std::size_t ZeroShotClassificationPipeline::contradiction_id() const {
  return entailment_id() == 0 ? static_cast<std::size_t>(config().num_labels()) - 1 : 0;
}

std::vector<std::vector<LabelScore>> ZeroShotClassificationPipeline::operator()(
    const Texts& texts, std::span<const std::string> candidate_labels,
    const ZeroShotClassificationOptions& options, const ProgressCallback& progress) const {
  if (candidate_labels.empty()) {
    throw ArgumentError("there are no candidate labels: give at least one");
  }
  if (options.hypothesis_template.find(kPlace) == std::string::npos) {
    throw ArgumentError(
        fmt::format("the hypothesis template {} has no {{}}, which is where the label goes",
                    in_quotes(options.hypothesis_template)));
  }
  internal::require_pairs(texts, false, options.limits.name);
  std::vector<std::string> hypotheses;
  for (const auto& label : candidate_labels) {
    hypotheses.push_back(hypothesis_of(options.hypothesis_template, label));
  }
  std::vector<TextPair> pairs;
  std::vector<std::size_t> text_of;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const auto& hypothesis : hypotheses) {
      pairs.push_back({texts[i].first, hypothesis});
      text_of.push_back(i);
    }
  }
  auto limits = options.limits;
  limits.name = [&](std::size_t pair) {
    return internal::name_of_text(options.limits.name, text_of[pair]);
  };
  const auto sequences =
      internal::tokenize(tokenizer(), pairs, limits, max_length(), Truncation::only_first);
  const auto logits = internal::sequence_rows(
      sequences, {"classifying", "texts", batch_tokens(), progress, text_of}, model());

  const bool alone = options.multi_label || candidate_labels.size() == 1;
  const auto entailment = entailment_id(), contradiction = contradiction_id();
  std::vector<std::vector<LabelScore>> results(texts.size());
  auto row = logits.begin();
  for (auto& result : results) {
    std::vector<float> entails;
    std::vector<double> scores;
    for (std::size_t l = 0; l < candidate_labels.size(); ++l, ++row) {
      const auto values = row->values<float>();
      entails.push_back(values[entailment]);
      const std::vector<float> both{values[contradiction], values[entailment]};
      if (alone) scores.push_back(label_scores(both, ScoreKind::softmax).back());
    }
    if (!alone) scores = label_scores(entails, ScoreKind::softmax);
    for (const auto& [label, score] : best_labels(scores, scores.size())) {
      result.push_back({candidate_labels[label], score, label});
    }
  }
  return results;
}

}  // namespace cloze
