/// \file
/// What pre-training tells TensorBoard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "train/pretrain/pretrain_objective.h"
#include "train/run/tensorboard.h"

namespace cloze {

class PretrainLog {
 public:
  PretrainLog(const std::filesystem::path& directory, const PretrainInputs& inputs,
              const PretrainSettings& settings);

  /// Loss, accuracy, learning rate, gradient norm, throughput.
  void step(const PretrainStep& step);
  /// The held-out loss, perplexity and accuracy.
  void evaluation(const PretrainEvaluation& evaluation);
  /// The distribution of every parameter's values; with `gradients` of their gradients.
  void histograms(internal::Parameters& parameters, bool gradients, std::int64_t step);
  /// What the model expects at some masks of the first held-out batch.
  void fill_masks(internal::PretrainingModel& model, const Tokenizer& tokenizer,
                  const internal::PretrainingBatch& batch, std::int64_t step);

  /// The event file.
  [[nodiscard]] const std::filesystem::path& file() const { return writer_.path(); }

 private:
  EventWriter writer_;
};

/// "parameters/encoder.layer.0.attention.self.query.weight" has its page beside those of its layer.
[[nodiscard]] std::string histogram_tag(const std::string& kind, const std::string& parameter);

}  // namespace cloze
