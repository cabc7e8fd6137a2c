/// \file
/// What fine-tuning tells TensorBoard.
#pragma once

#include <filesystem>

#include "train/fine_tuner.h"
#include "train/tensorboard.h"

namespace cloze {

class FineTuneLog {
 public:
  FineTuneLog(const std::filesystem::path& directory, const FineTuneInputs& inputs,
              const FineTuneSettings& settings);

  /// Loss, learning rate, gradient norm, throughput.
  void step(const FineTuneStep& step);
  /// The dev set's loss and metrics.
  void evaluation(const FineTuneEvaluation& evaluation);

 private:
  EventWriter writer_;
};

}  // namespace cloze
