#include "train/run/training_state.h"

#include "bert/weights.h"
#include "cloze/checkpoint.h"
#include "core/io/atomic_file.h"
#include "core/io/mapped_file.h"

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

TrainerStateText load_training_state(const RunDirectory& directory, std::int64_t step,
                                     internal::Parameters& parameters, Optimizer& optimizer) {
  const auto from = directory.checkpoint(step);
  internal::CheckpointWeights weights(Checkpoint::open(from));
  parameters.load(weights);
  optimizer.load_state(Checkpoint::open(from / kOptimizerFile));
  const auto file = from / kTrainerStateFile;
  return {std::string(MappedFile::open(file)->text()), file.string()};
}

}  // namespace cloze
