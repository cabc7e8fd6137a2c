#include "train/run/training_state.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/json_fields.h"

namespace cloze {

void save_training_state(const RunDirectory& directory, std::int64_t step,
                         const std::function<void(const std::filesystem::path&)>& save_model,
                         const Optimizer& optimizer, const std::string& trainer_state) {
  directory.save(step, [&](const std::filesystem::path& to) {
    save_model(to);
    save_safetensors(to / kOptimizerFile, optimizer.state());
    AtomicFile file(to / kTrainerStateFile);
    file.write(trainer_state);
    file.commit();
  });
}

void internal::read_state(std::string_view json, const std::string& origin, RunState& state,
                          const std::function<void(const nlohmann::json& found)>& rest) {
  const auto found = parse_json_object(json, origin);
  state.step = required_json_whole(found, "step", origin);
  state.tokens = required_json_whole(found, "tokens", origin);
  state.seconds = required_json_field<double>(found, "seconds", origin);
  rest(found);
}

TrainerStateText load_training_state(const RunDirectory& directory, std::int64_t step,
                                     internal::Parameters& parameters, Optimizer& optimizer) {
  const auto from = directory.checkpoint(step);
  internal::CheckpointWeights weights(Checkpoint::open(from));
  parameters.load(weights);
  optimizer.load_state(Checkpoint::open(from / kOptimizerFile));
  const auto file = from / kTrainerStateFile;
  return {files::read_text(file), file.string()};
}

}  // namespace cloze
