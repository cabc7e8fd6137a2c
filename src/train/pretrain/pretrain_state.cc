// A run's state as JSON, and the model as a directory.
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/json_fields.h"
#include "train/pretrain/pretrain_objective.h"
#include "train/run/training_state.h"

namespace cloze {
namespace {

nlohmann::ordered_json json_of(const PretrainMetrics& metrics) {
  return {{"masked_lm_loss", metrics.masked_lm_loss},
          {"masked", metrics.masked},
          {"masked_correct", metrics.masked_correct},
          {"next_sentence_loss", metrics.next_sentence_loss},
          {"sequences", metrics.sequences},
          {"next_sentence_correct", metrics.next_sentence_correct}};
}

PretrainMetrics metrics_from(const nlohmann::json& json, const std::string& origin) {
  return {.masked_lm_loss = json_number_or_nan(json, "masked_lm_loss", origin),
          .masked = required_json_whole(json, "masked", origin),
          .masked_correct = required_json_whole(json, "masked_correct", origin),
          .next_sentence_loss = json_number_or_nan(json, "next_sentence_loss", origin),
          .sequences = required_json_whole(json, "sequences", origin),
          .next_sentence_correct = required_json_whole(json, "next_sentence_correct", origin)};
}

nlohmann::ordered_json json_of(const PretrainEvaluation& evaluation) {
  return {{"step", evaluation.step},
          {"best", evaluation.best},
          {"metrics", json_of(evaluation.metrics)}};
}

PretrainEvaluation evaluation_from(const nlohmann::json& json, const std::string& origin) {
  const auto metrics = required_json_field<nlohmann::json>(json, "metrics", origin);
  return {.step = required_json_whole(json, "step", origin),
          .metrics = metrics_from(metrics, origin),
          .best = required_json_field<bool>(json, "best", origin)};
}

/// null for nothing.
template <class T>
nlohmann::ordered_json json_of(const std::optional<T>& value) {
  return value ? json_of(*value) : nlohmann::ordered_json();
}

}  // namespace

std::string PretrainState::to_json() const {
  const nlohmann::ordered_json json{
      {"step", step},
      {"tokens", tokens},
      {"seconds", seconds},
      {"average_loss", average_loss},
      {"phase", phase},
      {"position",
       {{"epoch", position.epoch}, {"unit", position.unit}, {"sequence", position.sequence}}},
      {"best_step", best_step},
      {"best_loss", best_loss},
      {"evaluated_on", internal::fingerprint_json(evaluated_on)},
      {"evaluation", json_of(evaluation)},
      {"logged", json_of(logged)}};
  return json.dump(2) + '\n';
}

PretrainState PretrainState::from_json(std::string_view json, const std::string& origin) {
  PretrainState state;
  internal::read_state(json, origin, state, [&](const nlohmann::json& found) {
    state.average_loss = json_number_or_nan(found, "average_loss", origin);
    state.phase = required_json_whole<std::size_t>(found, "phase", origin);
    state.best_step = required_json_whole<std::int64_t>(found, "best_step", origin, -1);
    state.best_loss = json_number_or_nan(found, "best_loss", origin);
    if (const auto json = json_field<nlohmann::json>(found, "evaluation", origin)) {
      state.evaluation = evaluation_from(*json, origin);
    }
    if (const auto json = json_field<nlohmann::json>(found, "logged", origin)) {
      state.logged = metrics_from(*json, origin);
    }
    const auto position = required_json_field<nlohmann::json>(found, "position", origin);
    state.position.epoch = required_json_whole(position, "epoch", origin);
    state.position.unit = required_json_whole(position, "unit", origin);
    state.position.sequence = required_json_whole(position, "sequence", origin);
  });
  return state;
}

void save_pretrained_model(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                           const std::filesystem::path& directory, std::int64_t max_shard_bytes) {
  auto config = model.config();
  config.architectures = {internal::architecture_of(model.options().head())};
  config.save_pretrained(directory);
  tokenizer.save_pretrained(directory);
  save_checkpoint(directory, model.parameters().tensors(), max_shard_bytes);
}

}  // namespace cloze
