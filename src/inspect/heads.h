/// \file
/// What a model directory holds, with heads looked up in other rows than the table's.
#pragma once

#include <filesystem>
#include <span>

#include "bert/head_table.h"
#include "inspect/model_info.h"

namespace cloze::internal {

/// As cloze::model_info.
[[nodiscard]] ModelInfo model_info(const std::filesystem::path& directory,
                                   std::span<const HeadKind> heads);

}  // namespace cloze::internal
