/// \file
/// Schemes of entity tags: which one sentences are in, and the way to IOB2.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "datasets/conll_reader.h"

namespace cloze {

/// "line 12 of FILE" for word `word` of a sentence.
using TagPlace = std::function<std::string(const TaggedSentence& sentence, std::size_t word)>;

/// Finds the one scheme that all tags keep to, but for one slip in a hundred between IOB1 and IOB2,
/// which read the same. Throws FormatError where they keep to none.
[[nodiscard]] TagScheme find_scheme(std::span<const TaggedSentence> sentences,
                                    const TagPlace& place);

/// Rewrites the tags from `scheme` into IOB2. An entity of BIOES that breaks off without its end,
/// or has lost its beginning with that of the sentence, is kept, counted, and its place given.
/// Throws FormatError for one that BIOES does not let go on or end where it does.
struct BrokenOff {
  std::int64_t entities = 0;
  std::string first;
};
BrokenOff convert_to_iob2(std::span<TaggedSentence> sentences, TagScheme scheme,
                          const TagPlace& place);

/// The sentences in IOB2, or with plain labels, and what they were in. Throws as the two above.
[[nodiscard]] TaggedTexts in_iob2(std::vector<TaggedSentence> sentences, const TagPlace& place);

}  // namespace cloze
