/// \file
/// Normalization as a text of its own, stage after stage as BertNormalizer does it. Only tokenizers
/// with added tokens that are looked for in normalized text need it; the tests hold the one-pass
/// segmenter against it.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/normalize/placed_text.h"
#include "text/wordpiece/segmenter.h"

namespace cloze::text {

/// Normalizes `text` (valid UTF-8, not in google mode), whose first code point has offset `begin`.
[[nodiscard]] NormalizedText normalize(const CharActions& actions, std::string_view text,
                                       std::int32_t begin, OffsetUnit unit);

/// Appends the pieces of the bytes [from, to) of `text` to `sink`.
void segment_normalized(const WordPieceModel& model, const NormalizedText& text, std::size_t from,
                        std::size_t to, PieceSink& sink);

}  // namespace cloze::text
