/// \file
/// A text's words, lower-cased where the rules say so.
#pragma once

#include "core/function_ref.h"
#include "text/japanese/chars.h"
#include "text/japanese/segmenter.h"

namespace cloze::text {

/// Hands each word of a text to `use`, in order, until it returns false.
void for_words(const JapaneseModel& model, const Chars& text,
               FunctionRef<bool(const Chars& word)> use);

}  // namespace cloze::text
