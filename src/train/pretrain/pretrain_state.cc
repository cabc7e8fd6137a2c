// A run's state as JSON, and the model as a directory.
#include <nlohmann/json.hpp>

#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/json_fields.h"
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
    state.average_loss = json_number_or_nan(found, "average_loss", origin);
    state.phase = required_json_whole<std::size_t>(found, "phase", origin);
    state.best_step = required_json_whole<std::int64_t>(found, "best_step", origin, -1);
    state.best_loss = json_number_or_nan(found, "best_loss", origin);
    const auto position = required_json_field<nlohmann::json>(found, "position", origin);
    state.position.epoch = required_json_whole(position, "epoch", origin);
    state.position.unit = required_json_whole(position, "unit", origin);
    state.position.sequence = required_json_whole(position, "sequence", origin);
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
