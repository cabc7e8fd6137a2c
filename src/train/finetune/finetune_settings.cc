// The settings of fine-tuning as `run.json` keeps them.
#include "train/finetune/finetune_settings.h"

#include <cmath>

#include <fmt/ranges.h>

#include "core/numbers.h"
#include "core/strings.h"

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
constexpr auto list = [](FinetuneSettings& s, auto& visit) {
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
  return saved_by(list, settings);
}

FinetuneSettings finetune_settings_from(const std::string& run_json, const std::string& origin) {
  return settings_from<FinetuneSettings>(list, run_json, origin);
}

}  // namespace internal

void FinetuneSettings::set_class_weights(std::string_view text) {
  balanced_class_weights = text == "balanced";
  class_weights.clear();
  if (text.empty() || balanced_class_weights) return;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const auto number = rest.substr(0, comma);
    const auto value = static_cast<float>(finite_number(number).value_or(NAN));
    if (!std::isfinite(value)) {
      class_weights.clear();
      throw ArgumentError(fmt::format(
          "the class weights {} are neither \"balanced\" nor numbers with commas between them",
          in_quotes(text)));
    }
    class_weights.push_back(value);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
}

FinetuneSettings finetune_settings_of(const std::filesystem::path& run_directory) {
  return internal::settings_to_resume<FinetuneSettings>(internal::list, run_directory);
}

}  // namespace cloze
