/// \file
/// The first computation of a model, which takes longer than the others, before a client waits for it.
#pragma once

#include "serve/served_model.h"

namespace cloze::serve {

/// Answers a short text, and as long a one as the model reads (512 tokens at most).
void warm_up(const ServedModel& model);

}  // namespace cloze::serve
