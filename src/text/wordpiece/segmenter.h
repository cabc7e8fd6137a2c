/// \file
/// Text → pieces in one pass: normalizer, pre-tokenizer and WordPiece together, without a
/// normalized copy of the text. A word of ASCII goes from a bit mask straight to the vocabulary;
/// any other word is assembled code point by code point, each with the place it came from.
#pragma once

#include <cstdint>
#include <string_view>

#include "cloze/tokenizer.h"
#include "text/encode/piece_sink.h"
#include "text/normalize/char_actions.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// What a text is cut into pieces by. Immutable.
struct WordPieceModel {
  WordPieceModel(Vocabulary words, const NormalizerRules& rules, std::int32_t unknown,
                 std::int32_t max_chars);

  Vocabulary vocabulary;
  CharActions actions;
  std::int32_t unk_id;
  std::int32_t max_chars_per_word;
};

/// Appends the pieces of `text`, which is valid UTF-8, to `sink`. `begin` is the offset of its
/// first code point; offsets are in `unit`.
void segment(const WordPieceModel& model, std::string_view text, std::int32_t begin,
             OffsetUnit unit, PieceSink& sink);

}  // namespace cloze::text
