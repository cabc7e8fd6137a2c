// A run's state as JSON, and the model as a directory.
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "train/pretrain/pretrain_objective.h"
#include "train/run/training_state.h"

namespace cloze {

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
      {"best_loss", best_loss}};
  return json.dump(2) + '\n';
}

PretrainState PretrainState::from_json(std::string_view json, const std::string& origin) {
  PretrainState state;
  internal::read_state(json, origin, state, [&](const nlohmann::json& found) {
    found.at("average_loss").get_to(state.average_loss);
    found.at("phase").get_to(state.phase);
    found.at("best_step").get_to(state.best_step);
    found.at("best_loss").get_to(state.best_loss);
    const auto& position = found.at("position");
    position.at("epoch").get_to(state.position.epoch);
    position.at("unit").get_to(state.position.unit);
    position.at("sequence").get_to(state.position.sequence);
  });
  return state;
}

void save_pretrained_model(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                           const std::filesystem::path& directory) {
  auto config = model.config();
  config.architectures = {internal::architecture_of(model.options().head())};
  config.save_pretrained(directory);
  tokenizer.save_pretrained(directory);
  save_checkpoint(directory, model.parameters().tensors());
}

}  // namespace cloze
