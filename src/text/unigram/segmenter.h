/// \file
/// Text → pieces of a Unigram model: normalizers, pre-tokenizers, best path.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/encode/piece_sink.h"
#include "text/normalize/placed_text.h"
#include "text/unigram/model.h"

namespace cloze::text {

/// Appends the pieces of `text`, which is valid UTF-8, to `sink`. `begin` is the offset of its
/// first code point; offsets are in `unit`.
void segment(const UnigramModel& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink);

/// Normalizes `text` (valid UTF-8), whose first code point has offset `begin`.
[[nodiscard]] NormalizedText normalize(const UnigramModel& model, std::string_view text,
                                       std::int32_t begin, OffsetUnit unit);

/// Appends the pieces of the bytes [from, to) of `text` to `sink`.
void segment_normalized(const UnigramModel& model, const NormalizedText& text, std::size_t from,
                        std::size_t to, PieceSink& sink);

}  // namespace cloze::text
