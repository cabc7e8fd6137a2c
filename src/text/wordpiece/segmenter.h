/// \file
/// Text → pieces in one pass: normalizer, pre-tokenizer and WordPiece together, without a
/// normalized copy of the text. A word of ASCII goes from a bit mask straight to the vocabulary;
/// any other word is assembled code point by code point, each with the place it came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "cloze/tokenizer.h"
#include "text/normalize/char_actions.h"
#include "text/wordpiece/vocabulary.h"

namespace cloze::text {

/// What a text is cut into pieces by. Immutable.
struct Model {
  Model(Vocabulary words, const NormalizerRules& rules, std::int32_t unknown,
        std::int32_t max_chars);

  Vocabulary vocabulary;
  CharActions actions;
  std::int32_t unk_id;
  std::int32_t max_chars_per_word;
};

/// Where the pieces go. `offsets` and `words` are null when nobody asks for them.
struct PieceSink {
  std::vector<std::int32_t>* ids = nullptr;
  std::vector<Span>* offsets = nullptr;
  std::vector<std::int32_t>* words = nullptr;
  /// Stop soon after so many pieces: the caller cuts off the rest anyway.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  /// Only count: pieces are dropped once there are many, and `dropped` tells how many were.
  bool count_only = false;
  std::size_t dropped = 0;
  std::int32_t next_word = 0;
  /// Within one call for all pieces of a text: pre-split words have the number of their word.
  bool count_words = true;
};

/// Appends the pieces of `text`, which is valid UTF-8, to `sink`. `begin` is the offset of its
/// first code point; offsets are in `unit`.
void segment(const Model& model, std::string_view text, std::int32_t begin, OffsetUnit unit,
             PieceSink& sink);

}  // namespace cloze::text
