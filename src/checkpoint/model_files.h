/// \file
/// The names of the files that a model is made of.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cloze {

/// Whether `save_checkpoint` gives a file this name: model.safetensors, its index, a shard.
[[nodiscard]] bool is_saved_weights(std::string_view name);

/// "model-00001-of-00002.safetensors", as `save_checkpoint` names the parts of a large model.
[[nodiscard]] bool is_weight_shard(std::string_view name);

/// Of the files that a model which Cloze saved is made of (but for the modules' own directories),
/// those that are in `directory`, by name.
[[nodiscard]] std::vector<std::string> saved_model_files(const std::filesystem::path& directory);

}  // namespace cloze
