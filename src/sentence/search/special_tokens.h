/// \file
/// Tokens of a vocabulary that a text may name.
#pragma once

#include <span>
#include <string>

#include "cloze/tokenizer.h"

namespace cloze {

/// The same tokenizer, which takes each of `markers` as one token where it finds it in a text. A marker
/// is a token of the vocabulary, or a text that begins with one and a space, as ColBERT's prompt
/// "[unused0] " does; one that is neither, or that the tokenizer keeps whole already, changes nothing.
/// As sentence-transformers 6 does with the prefixes of PyLate's and Stanford's checkpoints.
[[nodiscard]] Tokenizer with_markers(const Tokenizer& tokenizer,
                                     std::span<const std::string> markers);

}  // namespace cloze
