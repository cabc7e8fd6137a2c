/// \file
/// What a sentence-transformers directory says about texts, whatever becomes of their tokens.
#pragma once

#include <filesystem>

#include "cloze/sentence_settings.h"

namespace cloze {

/// The prompts, the similarity function and whether texts are lower-cased; the pooling and what
/// belongs to it are the defaults. Nothing without a `modules.json`. Throws as sentence_settings
/// does for these files.
[[nodiscard]] SentenceSettings text_settings(const std::filesystem::path& directory);

}  // namespace cloze
