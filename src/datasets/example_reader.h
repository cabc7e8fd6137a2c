/// \file
/// Examples in memory, checked and brought into the form that the readers of files give.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cloze/examples.h"
#include "cloze/squad.h"
#include "datasets/choice_reader.h"
#include "datasets/conll_reader.h"

namespace cloze {

// Of each at most `most` examples are read, 0: all. The lines of the results are the numbers of the
// examples, from 1.

/// Throws FormatError: as many tags as tokens is not so, no tokens, tags that mix schemes or break
/// theirs.
[[nodiscard]] TaggedTexts tagged_texts(std::span<const TaggedExample> examples, std::int64_t most);

/// Throws FormatError: an empty question or context, a text that is not UTF-8.
[[nodiscard]] SquadData squad_data(std::span<const QuestionExample> examples, std::int64_t most);

/// Throws FormatError: an empty text, less than two choices, another number of them than the first
/// has, a label that is none of them.
[[nodiscard]] std::vector<Choices> choices_of(std::span<const ChoiceExample> examples,
                                              std::int64_t most);

}  // namespace cloze
