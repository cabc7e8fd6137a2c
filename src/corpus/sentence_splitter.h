/// \file
/// A paragraph → its sentences, by rules that hold for many scripts. Made for pre-training, where a
/// wrong cut costs little and speed counts: no model, one pass.
#pragma once

#include <string_view>
#include <vector>

namespace cloze {

/// Appends the sentences of `paragraph` to `sentences`, in order, without the white space around
/// them, none empty; nothing but white space is ever left out. Invalid UTF-8 is text like any
/// other.
///
/// A sentence ends
///  * after 。 ！ ？ ｡ । ॥ ؟ ۔ ։ ። ။ ។ and their like, whatever follows;
///  * after . ! ? … and closing quotes or brackets, where white space follows (or, after ! and ?, a
///    character of Chinese or Japanese).
/// It goes on, however, where a lower-case letter follows a full stop or a closing quote (but in
/// text without any capitals), after initials ("J. Smith"), titles and abbreviations ("Dr. No",
/// "z. B."), before a number that an abbreviation announces ("No. 5"), after a number that begins
/// the paragraph ("1. Introduction"), and, unless a word like "The" comes next, after "U.S.",
/// "etc.", "Inc." and others that may end one.
void split_sentences(std::string_view paragraph, std::vector<std::string_view>& sentences);

}  // namespace cloze
