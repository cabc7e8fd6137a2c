/// \file
/// What every training loop keeps in a checkpoint: the model, the optimizer's state, and where the
/// run stands.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "bert/training/parameters.h"
#include "train/optimizer/optimizer.h"
#include "train/run/loop.h"
#include "train/run/run_directory.h"

namespace cloze {

/// Makes the checkpoint of `step`: `save_model` fills a directory with the model, and the
/// optimizer's and the trainer's state go beside it. Throws IoError.
void save_training_state(const RunDirectory& directory, std::int64_t step,
                         const std::function<void(const std::filesystem::path&)>& save_model,
                         const Optimizer& optimizer, const std::string& trainer_state);

namespace internal {

/// Reads the JSON of a trainer's state: what every run counts into `state`, and what else there is
/// by `rest`. Throws FormatError, which `origin` begins, for a field that is missing or of another
/// kind.
void read_state(std::string_view json, const std::string& origin, RunState& state,
                const std::function<void(const nlohmann::json& found)>& rest);

/// `RunState::evaluated_on` as that JSON has it.
[[nodiscard]] nlohmann::json fingerprint_json(const std::optional<std::uint64_t>& fingerprint);

}  // namespace internal

/// The trainer's state as it was saved, and the name of its file for messages.
struct TrainerStateText {
  std::string json;
  std::string origin;
};

/// Puts parameters and optimizer back to a checkpoint. The model's packed weights are not brought up
/// to date. Throws IoError, FormatError, ModelError.
[[nodiscard]] TrainerStateText load_training_state(const std::filesystem::path& checkpoint,
                                                   internal::Parameters& parameters,
                                                   Optimizer& optimizer);

}  // namespace cloze
