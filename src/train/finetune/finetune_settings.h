/// \file
/// The settings of fine-tuning as `run.json` keeps them.
#pragma once

#include <string>
#include <vector>

#include "cloze/finetune.h"
#include "train/run/saved_settings.h"

namespace cloze::internal {

/// Throws ArgumentError for weights that no loss can have. How many there must be, the data tell.
void require_class_weights(const std::vector<float>& weights);

[[nodiscard]] std::vector<SavedSetting> saved_settings(const FinetuneSettings& settings);

/// The settings that a `run.json` has. Throws FormatError, which `origin` begins.
[[nodiscard]] FinetuneSettings finetune_settings_from(const std::string& run_json,
                                                      const std::string& origin);

}  // namespace cloze::internal
