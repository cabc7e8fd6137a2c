/// \file
/// What a sentence-transformers directory says about the way from token vectors to a sentence's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloze/pooling.h"

#pragma GCC visibility push(default)
namespace cloze {

/// What a sentence-transformers directory says about pooling and what follows it.
struct SentenceSettings {
  Pooling pooling = Pooling::mean;
  bool normalize = false;  ///< at the end
  /// Directories of the Dense modules between pooling and the end, in their order.
  std::vector<std::filesystem::path> dense;
  /// Tokens that the model was trained to read; absent when the directory does not say.
  std::optional<std::int64_t> max_seq_length;
};

/// Reads `modules.json`, the pooling module's `config.json` and `sentence_bert_config.json`.
/// Nothing if there is no `modules.json`. Throws FormatError for what cannot be read, and
/// ModelError for modules and poolings that Cloze does not have (several poolings side by side, for
/// one).
[[nodiscard]] std::optional<SentenceSettings> sentence_settings(
    const std::filesystem::path& directory);

/// Where the transformer of a model directory lies: the directory itself, or what `modules.json`
/// names (older sentence-transformers have `0_Transformer`). Throws FormatError as
/// sentence_settings does.
[[nodiscard]] std::filesystem::path transformer_directory(const std::filesystem::path& directory);

}  // namespace cloze

#pragma GCC visibility pop
