/// \file
/// What a model directory holds, with heads looked up in other rows than the table's.
#pragma once

#include <span>
#include <string>

#include "bert/head_table.h"
#include "cloze/model_info.h"

namespace cloze::internal {

/// As cloze::model_info.
[[nodiscard]] ModelInfo model_info(const std::string& directory_or_name,
                                   std::span<const HeadKind> heads,
                                   const ProgressCallback& progress = {});

}  // namespace cloze::internal
