/// \file
/// Where a model is: a directory, or a name in the model cache or on the Hub.
#pragma once

#include <filesystem>
#include <string>

namespace cloze {

/// The model cache: `$CLOZE_CACHE`, else `$XDG_CACHE_HOME/cloze`, else `$HOME/.cache/cloze`.
[[nodiscard]] std::filesystem::path model_cache();

/// `directory_or_name` if it is a directory, else the directory of that name in the model cache (of
/// "owner/name", also the last part alone), else the model of that name on the Hub (hub.h), fetched
/// unless its cache has it. Throws IoError saying where was looked, and as `hub_model` does.
[[nodiscard]] std::filesystem::path find_model(const std::string& directory_or_name);

}  // namespace cloze
