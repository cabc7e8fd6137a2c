/// \file
/// The configuration of a model that lies in a directory.
#pragma once

#include <filesystem>

#include "cloze/config.h"

namespace cloze::internal {

/// What BertConfig::from_pretrained does with a directory.
[[nodiscard]] BertConfig read_config(const std::filesystem::path& directory);

}  // namespace cloze::internal
