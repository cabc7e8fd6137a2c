// The settings of fine-tuning as `run.json` keeps them.
#include "train/finetune/finetune_settings.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>

#include "core/numbers.h"
#include "core/strings.h"
#include "train/run/run_setup.h"

namespace cloze {
namespace internal {
namespace {

/// "balanced", or numbers with commas between them.
std::string class_weights_text(const FinetuneSettings& settings) {
  if (settings.balanced_class_weights) return "balanced";
  return fmt::format("{}", fmt::join(settings.class_weights, ","));
}

// What changes the batches, the model or the arithmetic of a step may not change; what a run costs
// and what it tells may.
constexpr auto finetune_list = [](FinetuneSettings& s, auto& visit) {
  visit("model", s.model);
  visit("size", s.size);
  visit("vocab", s.vocab);
  visit("cased", s.cased);
  visit("new-head", s.new_head);
  visit("dropout", s.dropout);
  visit("classifier-dropout", s.classifier_dropout);
  visit("task", s.task);
  visit("train", s.train, kMayChange);  // its content is compared
  visit("dev", s.dev, kMayChange);
  visit("text-column", s.data.text_column);
  visit("pair-column", s.data.pair_column);
  visit("label-column", s.data.label_column);
  visit("multi-label", s.data.multi_label);
  visit("no-document-context", Negated{s.data.document_context});
  visit("version-2", s.data.version_2);
  visit("answer-metrics", Converted{[&] { return std::string(name_of(s.data.answer_metrics)); },
                                    [&](const std::string& name) {
                                      s.data.answer_metrics = answer_metrics_from(name);
                                    }});
  visit("max-length", s.data.max_length);
  visit("stride", s.data.stride);
  visit("max-train-samples", s.data.max_samples);
  visit("max-dev-samples", s.max_dev_samples);
  visit("epochs", s.epochs);
  visit("steps", s.steps);
  visit("batch-size", s.batch_size);
  visit("accumulation", s.accumulation);
  visit("batch-tokens", s.batch_tokens);
  visit("class-weights", Converted{[&] { return class_weights_text(s); },
                                   [&](const std::string& text) { s.set_class_weights(text); }});
  visit("label-smoothing", s.label_smoothing);
  visit("layer-decay", s.layer_decay);
  visit("freeze-layers", s.freeze_layers);
  visit("freeze-embeddings", s.freeze_embeddings);
  visit("best-metric", s.best_metric);
  visit("patience", s.patience, kMayChange);
  visit_training_settings(s, visit);
};

}  // namespace

std::vector<SavedSetting> saved_settings(const FinetuneSettings& settings) {
  return saved_by(finetune_list, settings);
}

FinetuneSettings finetune_settings_from(const std::string& run_json, const std::string& origin) {
  return settings_from<FinetuneSettings>(finetune_list, run_json, origin);
}

void require_class_weights(const std::vector<float>& weights) {
  // Only the weights' proportions count, and the loss of a batch must stay a number.
  constexpr float kLargest = 1e9F;
  for (const float weight : weights) require_in_range("class-weights", weight, 0.0F, kLargest);
  const bool nothing = std::all_of(weights.begin(), weights.end(), [](float w) { return w == 0; });
  if (nothing && !weights.empty()) {
    throw ArgumentError("class-weights are all 0: nothing would be learnt");
  }
}

}  // namespace internal

void FinetuneSettings::set_class_weights(std::string_view text) {
  std::vector<float> weights;
  const bool balanced = text == "balanced";
  for (std::string_view rest = text; !text.empty() && !balanced;) {
    const auto comma = rest.find(',');
    const auto value = finite_number(rest.substr(0, comma));
    if (!value || std::abs(*value) > std::numeric_limits<float>::max()) {
      throw ArgumentError(fmt::format(
          "the class weights {} are neither \"balanced\" nor numbers with commas between them",
          in_quotes(text)));
    }
    weights.push_back(static_cast<float>(*value));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  internal::require_class_weights(weights);
  balanced_class_weights = balanced;
  class_weights = std::move(weights);
}

FinetuneSettings finetune_settings_of(const std::filesystem::path& run_directory) {
  return internal::settings_to_resume<FinetuneSettings>(internal::finetune_list, run_directory);
}

}  // namespace cloze
