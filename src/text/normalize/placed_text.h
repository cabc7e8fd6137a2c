/// \file
/// A text that has been changed, and where each part of it came from.
#pragma once

#include <string>
#include <vector>

#include "cloze/tokenizer.h"

namespace cloze::text {

struct NormalizedText {
  std::string bytes;         ///< valid UTF-8
  std::vector<Span> places;  ///< for each byte: what its character came from
};

}  // namespace cloze::text
