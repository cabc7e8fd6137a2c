/// \file
/// Pieces → Encoding: truncation into windows and the template around them, as tokenizers'
/// `post_process` does it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cloze/tokenizer.h"
#include "text/encode/pipeline.h"

namespace cloze::text {

/// A part of a template: special tokens, or a whole sequence.
struct TemplatePiece {
  int sequence = -1;  ///< 0 first text, 1 second text, -1 special tokens
  std::int32_t type_id = 0;
  std::vector<std::int32_t> ids;    ///< of special tokens
  std::vector<std::string> tokens;  ///< their contents
  friend bool operator==(const TemplatePiece&, const TemplatePiece&) = default;
};

using Template = std::vector<TemplatePiece>;

struct Templates {
  Template single, pair;
  /// tokenizers gives the template's types to the window that stays, and to the overflowing ones the
  /// number of the sequence, unless its post-processor is RobertaProcessing. For BERT's template both
  /// are the same.
  bool overflow_has_types = false;
  /// Where both texts of a pair are cut and their room is odd, which has one token more: the longer,
  /// as in tokenizers, or always the first, as in transformers' tokenizers that are written in Python.
  bool odd_to_first = false;
  /// Whether offsets leave out the white space at the ends of a token, as the post-processor
  /// RobertaProcessing does it with `trim_offsets`; the value is its `add_prefix_space`.
  std::optional<bool> trim_offsets{};
  friend bool operator==(const Templates&, const Templates&) = default;
};

/// Trims the offsets of the tokens of a window, which are in `unit`. They have these ids, and the texts
/// of `texts` from the index `first` on.
void trim_offsets(const Vocabulary& vocabulary, bool add_prefix_space, OffsetUnit unit,
                  std::span<const std::int32_t> ids, const PieceTexts& texts, std::size_t first,
                  std::span<Span> offsets);

/// Special tokens that `pieces` adds.
[[nodiscard]] std::int32_t special_tokens(const Template& pieces);

/// How many pieces of the first and of the second text are kept. Throws ArgumentError as encode.
struct KeptLengths {
  std::size_t first, second;
};
[[nodiscard]] KeptLengths truncate(const EncodeOptions& options, std::size_t first,
                                   std::size_t second, bool pair, std::int32_t added,
                                   bool odd_to_first = false);

/// The Encoding of one text (`second` null) or a pair, with all overflowing windows unless
/// `options` leaves them out.
[[nodiscard]] Encoding assemble(const Vocabulary& vocabulary, const Templates& templates,
                                const EncodeOptions& options, const Pieces& first,
                                const Pieces* second);

}  // namespace cloze::text
