/// \file
/// Files that commands write: never one that is read.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace cloze::cli {

/// Throws UsageError where `output` is one of `inputs`, or a file that the model is made of, by any
/// of its names. An empty `output` is none.
void require_output_apart(const std::filesystem::path& output,
                          const std::vector<std::filesystem::path>& inputs,
                          const ModelOptions* model = nullptr);

/// Tells that `file` was written: on standard output, or on standard error where the file is
/// standard output itself.
void print_about(const std::filesystem::path& file, std::string_view text);

}  // namespace cloze::cli
