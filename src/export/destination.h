/// \file
/// The directory that a conversion writes to: which are refused.
#pragma once

#include <filesystem>

#include "core/function_ref.h"

namespace cloze::internal {

/// Throws ArgumentError where the destination is, or lies in, what is converted.
void require_elsewhere(const std::filesystem::path& destination,
                       const std::filesystem::path& source);

/// Throws ArgumentError where something is in the directory that is not to be replaced: a training
/// run, anything but a model, or a model without `overwrite`.
void require_free(const std::filesystem::path& directory, bool overwrite);

/// Lets `fill` write a model's files to a directory made aside, and puts it in place of the
/// destination as a whole: files of the model that was there before are replaced, others stay.
/// Throws as `fill` does, ArgumentError as require_free does, and IoError.
void write_whole(const std::filesystem::path& destination, bool overwrite,
                 FunctionRef<void(const std::filesystem::path& made)> fill);

}  // namespace cloze::internal
