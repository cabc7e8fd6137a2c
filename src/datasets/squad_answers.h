/// \file
/// Where the answers of a question stand in its context.
#pragma once

#include <cstdint>
#include <string>

#include "cloze/squad.h"

namespace cloze {

/// Adds an answer to a question about the last of the contexts, which is valid UTF-8. It begins
/// `start` code points into the context; where it does not stand there, at the nearest place that
/// has its text; -1 where none has. The data count such answers.
void add_answer(SquadData& data, SquadQuestion& question, const std::string& text,
                std::int64_t start);

}  // namespace cloze
