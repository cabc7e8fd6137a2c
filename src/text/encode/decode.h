/// \file
/// Pieces → text.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cloze::text {

/// Joins tokens: those that begin with `prefix` to the one before, others after a space. `cleanup`
/// is that of tokenizers' WordPiece decoder, applied to each token; `clean_up_spaces` is
/// transformers' clean_up_tokenization_spaces, applied to the whole.
[[nodiscard]] std::string decode_pieces(std::span<const std::string_view> tokens,
                                        std::string_view prefix, bool cleanup,
                                        bool clean_up_spaces);

/// Joins the tokens of a Unigram model: `space` is a space, and nothing in the first token, if
/// `drop_first`. Without a `space`, spaces are put between tokens.
[[nodiscard]] std::string decode_unigram(std::span<const std::string_view> tokens,
                                         std::string_view space, bool drop_first,
                                         bool clean_up_spaces);

}  // namespace cloze::text
