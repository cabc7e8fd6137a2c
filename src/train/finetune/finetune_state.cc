// A run's state as JSON.
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/json_fields.h"
#include "train/finetune/finetune_objective.h"
#include "train/run/training_state.h"

namespace cloze {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const FinetuneEvaluation& evaluation) {
  Json metrics = Json::array();  // pairs: their order is that of the table
  for (const auto& [name, value] : evaluation.metrics) metrics.push_back({name, value});
  return {
      {"step", evaluation.step}, {"epoch", evaluation.epoch}, {"train_loss", evaluation.train_loss},
      {"loss", evaluation.loss}, {"metrics", metrics},        {"best", evaluation.best}};
}

nlohmann::json list_of(const nlohmann::json& json, const char* name, const std::string& origin) {
  auto list = required_json_field<nlohmann::json>(json, name, origin);
  if (list.is_array()) return list;
  throw FormatError(
      fmt::format("{}: field \"{}\" is {}, which is no list", origin, name, json_excerpt(list)));
}

FinetuneEvaluation evaluation_of(const nlohmann::json& json, const std::string& origin) {
  FinetuneEvaluation evaluation;
  evaluation.step = required_json_whole(json, "step", origin);
  evaluation.epoch = required_json_field<double>(json, "epoch", origin);
  evaluation.train_loss = json_number_or_nan(json, "train_loss", origin);
  evaluation.loss = json_number_or_nan(json, "loss", origin);
  evaluation.best = required_json_field<bool>(json, "best", origin);
  for (const auto& pair : list_of(json, "metrics", origin)) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() ||
        !(pair[1].is_number() || pair[1].is_null())) {
      throw FormatError(fmt::format("{}: {} is no metric: a name and a number are expected", origin,
                                    json_excerpt(pair)));
    }
    const auto value =
        pair[1].is_null() ? std::numeric_limits<double>::quiet_NaN() : pair[1].get<double>();
    evaluation.metrics.emplace_back(pair[0].get<std::string>(), value);
  }
  return evaluation;
}

}  // namespace

const FinetuneEvaluation* FinetuneState::best() const {
  for (std::size_t i = evaluations.size(); i-- > 0;) {
    if (evaluations[i].best) return &evaluations[i];
  }
  return nullptr;
}

std::string FinetuneState::to_json() const {
  Json history = Json::array();
  for (const auto& evaluation : evaluations) history.push_back(json_of(evaluation));
  const Json json{{"step", step},
                  {"passes", passes},
                  {"tokens", tokens},
                  {"seconds", seconds},
                  {"since_evaluated",
                   {{"sum", since_evaluated.sum},
                    {"weight", since_evaluated.weight},
                    {"labelled", since_evaluated.labelled},
                    {"correct", since_evaluated.correct}}},
                  {"without_better", without_better},
                  {"stopped_early", stopped_early},
                  {"evaluated_on", internal::fingerprint_json(evaluated_on)},
                  {"evaluations", history},
                  {"best_details", best_details},
                  {"best_details_json", best_details_json}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

FinetuneState FinetuneState::from_json(std::string_view json, const std::string& origin) {
  FinetuneState state;
  internal::read_state(json, origin, state, [&](const nlohmann::json& found) {
    state.passes = required_json_whole(found, "passes", origin);
    const auto since = required_json_field<nlohmann::json>(found, "since_evaluated", origin);
    state.since_evaluated.sum = json_number_or_nan(since, "sum", origin);
    state.since_evaluated.weight = json_number_or_nan(since, "weight", origin);
    state.since_evaluated.labelled = required_json_whole(since, "labelled", origin);
    state.since_evaluated.correct = required_json_whole(since, "correct", origin);
    state.without_better = required_json_whole(found, "without_better", origin);
    state.stopped_early = required_json_field<bool>(found, "stopped_early", origin);
    for (const auto& each : list_of(found, "evaluations", origin)) {
      state.evaluations.push_back(evaluation_of(each, origin));
    }
    state.best_details = required_json_field<std::string>(found, "best_details", origin);
    state.best_details_json = required_json_field<std::string>(found, "best_details_json", origin);
  });
  return state;
}

}  // namespace cloze
