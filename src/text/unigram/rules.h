/// \file
/// What a Unigram tokenizer's file says besides its pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/normalize/steps.h"

namespace cloze::text {

/// Where tokenizers' Metaspace puts its character in front.
enum class PrependScheme : std::uint8_t {
  always,  ///< of each word, or of each text between added tokens
  first,   ///< of what stands at the very begin of the text
  never
};

/// Makes each space a visible character, with which words begin.
struct Metaspace {
  std::string replacement = "\u2581";  ///< one character
  PrependScheme prepend = PrependScheme::always;
  bool split = true;  ///< whether each word is cut into pieces by itself

  friend bool operator==(const Metaspace&, const Metaspace&) = default;
};

struct UnigramRules {
  std::vector<double> scores;  ///< of the pieces, by id: logarithms of probabilities
  std::int32_t unk_id = 0;
  bool byte_fallback = false;  ///< what no piece spells becomes pieces such as <0x0A>
  std::vector<NormalizerStep> steps;
  bool whitespace_split = false;  ///< white space separates words, and is gone
  std::optional<Metaspace> metaspace;
};

}  // namespace cloze::text
