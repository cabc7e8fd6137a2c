/// \file
/// What fine-tuning tells TensorBoard.
#pragma once

#include <filesystem>

#include "train/finetune/finetune_objective.h"
#include "train/run/tensorboard.h"

namespace cloze {

class FinetuneLog {
 public:
  FinetuneLog(const std::filesystem::path& directory, const FinetuneInputs& inputs,
              const FinetuneSettings& settings);

  /// Loss, learning rate, gradient norm, throughput.
  void step(const FinetuneStep& step);
  /// The dev set's loss and metrics.
  void evaluation(const FinetuneEvaluation& evaluation);

  /// The event file.
  [[nodiscard]] const std::filesystem::path& file() const { return writer_.path(); }

 private:
  EventWriter writer_;
};

}  // namespace cloze
