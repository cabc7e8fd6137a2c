/// \file
/// The settings of pre-training as `run.json` keeps them.
#pragma once

#include <string>
#include <vector>

#include "cloze/pretrain.h"
#include "train/run/saved_settings.h"

namespace cloze::internal {

[[nodiscard]] std::vector<SavedSetting> saved_settings(const PretrainSettings& settings);

/// The settings that a `run.json` has. Throws FormatError, which `origin` begins.
[[nodiscard]] PretrainSettings pretrain_settings_from(const std::string& run_json,
                                                      const std::string& origin);

}  // namespace cloze::internal
