/// \file
/// Conversion and export of models whose heads are looked up in other rows than the table's: a head
/// of one's own, say.
#pragma once

#include <filesystem>
#include <span>

#include "bert/head_table.h"
#include "export/convert_model.h"
#include "export/export_onnx.h"

namespace cloze::internal {

/// As cloze::convert_model.
ConvertedModel convert_model(const std::filesystem::path& source,
                             const std::filesystem::path& destination,
                             const ConvertOptions& options, std::span<const HeadKind> heads);

/// As cloze::export_onnx.
ExportedModel export_onnx(const std::filesystem::path& directory, const std::filesystem::path& path,
                          const ExportOptions& options,
                          const std::function<void(std::int64_t weights)>& announce,
                          std::span<const HeadKind> heads);

}  // namespace cloze::internal
