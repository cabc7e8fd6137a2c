/// \file
/// The pieces of a WordPiece vocabulary, from words and their counts: byte-pair merges.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cloze/vocabulary_trainer.h"
#include "text/train/word_counts.h"

namespace cloze::text {

/// As train_vocabulary. `progress(n)` hears of every n further tokens.
[[nodiscard]] std::vector<std::string> merge_words(
    const WordCounts& words, const VocabularyOptions& options,
    const std::function<void(std::int64_t)>& progress);

}  // namespace cloze::text
