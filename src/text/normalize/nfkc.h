/// \file
/// Normalization form KC, aligned as tokenizers aligns it.
#pragma once

#include "text/normalize/placed_text.h"

namespace cloze::text {

/// Writes NFKC of `from` to the empty `to`.
void nfkc(const NormalizedText& from, NormalizedText& to);

}  // namespace cloze::text
