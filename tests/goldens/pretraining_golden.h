/// \file
/// Batches of pre-training from files, as training_reference.py makes them.
#pragma once

#include <filesystem>
#include <vector>

#include "bert/training/pretraining.h"
#include "goldens/golden.h"

namespace cloze::testing {

inline internal::PretrainingBatch pretraining_batch(const std::filesystem::path& file) {
  const auto tensors = Checkpoint::open(file);
  const auto ints = [&](const char* name) { return elements<std::int32_t>(tensors.tensor(name)); };
  return {.inputs = {.input_ids = ints("input_ids"),
                     .token_type_ids = ints("token_type_ids"),
                     .position_ids = ints("position_ids"),
                     .cu_seqlens = ints("cu_seqlens")},
          .masked_positions = ints("masked_positions"),
          .masked_labels = ints("masked_labels"),
          .next_sentence_labels = ints("next_sentence_labels")};
}

/// The pass whose gradients are those of the mean losses of one batch.
inline internal::TrainingPass mean_pass(const internal::PretrainingBatch& batch) {
  return {.masked_lm_scale = 1.0 / static_cast<double>(batch.masked()),
          .next_sentence_scale = 1.0 / static_cast<double>(batch.inputs.sequences()),
          .dropout = false};
}

}  // namespace cloze::testing
