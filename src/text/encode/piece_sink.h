/// \file
/// Where the pieces of a text go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cloze/tokenizer.h"

namespace cloze::text {

/// Texts of pieces that are not their token's content, by the piece's index; ascending.
using PieceTexts = std::vector<std::pair<std::size_t, std::string>>;

/// `offsets` and `words` are null when nobody asks for them, and so is `texts`.
struct PieceSink {
  std::vector<std::int32_t>* ids = nullptr;
  std::vector<Span>* offsets = nullptr;
  std::vector<std::int32_t>* words = nullptr;
  PieceTexts* texts = nullptr;
  /// Stop soon after so many pieces: the caller cuts off the rest anyway.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  /// Only count: pieces are dropped once there are many, and `dropped` tells how many were.
  bool count_only = false;
  std::size_t dropped = 0;
  std::int32_t next_word = 0;
  /// Within one call for all pieces of a text: pre-split words have the number of their word.
  bool count_words = true;
};

}  // namespace cloze::text
