// A run's state as JSON.
#include <limits>

#include <nlohmann/json.hpp>

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

FinetuneEvaluation evaluation_of(const nlohmann::json& json) {
  FinetuneEvaluation evaluation;
  json.at("step").get_to(evaluation.step);
  json.at("epoch").get_to(evaluation.epoch);
  json.at("train_loss").get_to(evaluation.train_loss);
  json.at("loss").get_to(evaluation.loss);
  json.at("best").get_to(evaluation.best);
  for (const auto& pair : json.at("metrics")) {
    // A metric that was not a number is null in JSON.
    const auto value =
        pair.at(1).is_null() ? std::numeric_limits<double>::quiet_NaN() : pair.at(1).get<double>();
    evaluation.metrics.emplace_back(pair.at(0).get<std::string>(), value);
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
                  {"evaluations", history},
                  {"best_details", best_details},
                  {"best_details_json", best_details_json}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

FinetuneState FinetuneState::from_json(std::string_view json, const std::string& origin) {
  FinetuneState state;
  internal::read_state(json, origin, state, [&](const nlohmann::json& found) {
    found.at("passes").get_to(state.passes);
    const auto& since = found.at("since_evaluated");
    since.at("sum").get_to(state.since_evaluated.sum);
    since.at("weight").get_to(state.since_evaluated.weight);
    since.at("labelled").get_to(state.since_evaluated.labelled);
    since.at("correct").get_to(state.since_evaluated.correct);
    found.at("without_better").get_to(state.without_better);
    found.at("stopped_early").get_to(state.stopped_early);
    for (const auto& each : found.at("evaluations")) {
      state.evaluations.push_back(evaluation_of(each));
    }
    found.at("best_details").get_to(state.best_details);
    found.at("best_details_json").get_to(state.best_details_json);
  });
  return state;
}

}  // namespace cloze
