/// \file
/// What of a directory's settings is honoured, in words.
#pragma once

#include <filesystem>

#include "cloze/model_info.h"

namespace cloze::internal {

/// Fills `info.settings`, `info.sentence_pooling` and `info.warnings` of the model at
/// `info.directory`, whose transformer lies in `transformer`. A setting that Cloze refuses is in
/// `sentence_pooling`, as the sentence that it is refused with.
void describe_settings(const std::filesystem::path& transformer, ModelInfo& info);

}  // namespace cloze::internal
