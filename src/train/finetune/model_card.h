/// \file
/// The model card of a fine-tuned model: the `README.md` that stands beside its weights.
#pragma once

#include <string>
#include <string_view>

#include "train/finetune/finetune_objective.h"

namespace cloze {

/// The card: what the model is, how to use it, data, settings, figures.
[[nodiscard]] std::string model_card(const FinetuneInputs& inputs, const FinetuneSettings& settings,
                                     const FinetuneState& state);

}  // namespace cloze
