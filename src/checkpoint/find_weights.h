/// \file
/// Which file of a model directory has its weights.
#pragma once

#include <filesystem>
#include <optional>

namespace cloze {

/// `model.safetensors`, `model.safetensors.index.json`, `pytorch_model.bin`,
/// `pytorch_model.bin.index.json`, or a TensorFlow checkpoint's index (see find_bundle): the first
/// of these that is there. Throws as find_bundle does.
[[nodiscard]] std::optional<std::filesystem::path> find_weights(
    const std::filesystem::path& directory);

/// The same, which throws IoError where there is none, or FormatError saying what to do about a
/// format that Cloze does not read.
[[nodiscard]] std::filesystem::path require_weights(const std::filesystem::path& directory);

}  // namespace cloze
