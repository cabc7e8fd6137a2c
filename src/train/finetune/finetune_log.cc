#include "train/finetune/finetune_log.h"

#include <string>

#include "train/optimizer/schedule.h"

namespace cloze {
namespace {

HyperParameters hyper_parameters(const FinetuneInputs& inputs, const FinetuneSettings& settings) {
  const auto& options = inputs.model.options();
  const auto& config = inputs.model.config();
  return {{"task", std::string(inputs.task.name())},
          {"model", inputs.base_model},
          {"layers", static_cast<double>(config.num_hidden_layers)},
          {"hidden", static_cast<double>(config.hidden_size)},
          {"dropout", config.hidden_dropout_prob},
          {"learning_rate", settings.learning_rate},
          {"warmup", warmup_share(settings, total_steps(inputs.train.size(), settings))},
          {"schedule", std::string(name_of(settings.schedule))},
          {"optimizer", std::string(name_of(settings.optimizer.kind))},
          {"weight_decay", settings.optimizer.weight_decay},
          {"batch_size", static_cast<double>(settings.batch_size * settings.accumulation)},
          {"steps", static_cast<double>(total_steps(inputs.train.size(), settings))},
          {"layer_decay", settings.layer_decay},
          {"label_smoothing", options.label_smoothing},
          {"frozen_layers", static_cast<double>(options.freeze_layers)},
          {"dtype", std::string(name_of(options.compute))},
          {"seed", static_cast<double>(settings.seed)}};
}

}  // namespace

FinetuneLog::FinetuneLog(const std::filesystem::path& directory, const FinetuneInputs& inputs,
                         const FinetuneSettings& settings)
    : writer_(directory) {
  writer_.hyper_parameters(
      hyper_parameters(inputs, settings),
      {"evaluation/loss", "evaluation/" + std::string(inputs.task.best_metric())});
}

void FinetuneLog::step(const FinetuneStep& step) {
  writer_.scalar("train/loss", step.loss, step.step);
  writer_.scalar("train/learning_rate", step.learning_rate, step.step);
  writer_.scalar("train/gradient_norm", step.gradient_norm, step.step);
  writer_.scalar("train/epoch", step.epoch, step.step);
  writer_.scalar("speed/tokens_per_s", step.tokens_per_s, step.step);
}

void FinetuneLog::evaluation(const FinetuneEvaluation& evaluation) {
  writer_.scalar("evaluation/loss", evaluation.loss, evaluation.step);
  for (const auto& [name, value] : evaluation.metrics) {
    writer_.scalar("evaluation/" + name, value, evaluation.step);
  }
}

}  // namespace cloze
