#include "train/run/training_state.h"

#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/json_fields.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr int kBase = 16;  // of fingerprints

}  // namespace

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
  // Earlier versions have no such field: their data are taken to be the same.
  if (const auto text = json_field<std::string>(found, "evaluated_on", origin)) {
    std::uint64_t value = 0;
    const auto* const end = text->data() + text->size();
    const auto [stopped, error] = std::from_chars(text->data(), end, value, kBase);
    if (error != std::errc() || stopped != end) {
      throw FormatError(fmt::format("{}: field \"evaluated_on\" is {}, which is no fingerprint",
                                    origin, in_quotes(*text)));
    }
    state.evaluated_on = value;
  }
  rest(found);
}

nlohmann::json internal::fingerprint_json(const std::optional<std::uint64_t>& fingerprint) {
  if (!fingerprint) return nullptr;
  return fmt::format("{:016x}", *fingerprint);
}

TrainerStateText load_training_state(const std::filesystem::path& checkpoint,
                                     internal::Parameters& parameters, Optimizer& optimizer) {
  internal::CheckpointWeights weights(Checkpoint::open(checkpoint));
  parameters.load(weights);
  optimizer.load_state(Checkpoint::open(checkpoint / kOptimizerFile));
  const auto file = checkpoint / kTrainerStateFile;
  return {files::read_text(file), excerpt_of_path(file)};
}

}  // namespace cloze
