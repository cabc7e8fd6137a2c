/// \file
/// Conversion and export of models whose heads are looked up in other rows than the table's: a head
/// of one's own, say.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "bert/head_table.h"
#include "cloze/convert.h"
#include "cloze/export.h"

namespace cloze::internal {

/// As cloze::convert_model.
ConvertedModel convert_model(const std::string& source, const std::filesystem::path& destination,
                             const ConvertOptions& options, std::span<const HeadKind> heads,
                             const ProgressCallback& progress = {});

/// As cloze::export_onnx.
ExportedModel export_onnx(const std::string& directory_or_name, const std::filesystem::path& path,
                          const ExportOptions& options, std::span<const HeadKind> heads,
                          const ProgressCallback& progress = {});

}  // namespace cloze::internal
