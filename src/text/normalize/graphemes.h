/// \file
/// Grapheme clusters (Unicode Standard Annex #29, extended), as tokenizers' Precompiled normalizer
/// cuts a text before it looks at its character map.
#pragma once

#include <cstddef>
#include <string_view>

namespace cloze::text {

/// The end of the grapheme that begins at `at` < text.size(). `text` is valid UTF-8, and `at` is its
/// begin or the end of another grapheme.
[[nodiscard]] std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace cloze::text
