/// \file
/// Lengths of sequences from a file: numbers, or texts to take the lengths of.
#pragma once

#include <cstdint>
#include <vector>

#include "cloze/text_reader.h"

namespace cloze {

/// The lengths that a file states, one a line; empty when its first line is not a number: then the
/// file holds texts. Throws FormatError for a line that is no positive whole number after one that
/// is.
[[nodiscard]] std::vector<std::int64_t> read_lengths(TextReader& reader);

}  // namespace cloze
