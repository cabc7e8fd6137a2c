/// \file
/// A tokenizer that lower-cases what it reads, whatever its own files say.
#pragma once

#include "cloze/tokenizer.h"

namespace cloze {

/// The same tokenizer, before whose normalization every letter is lower-cased, one by one: what
/// sentence-transformers 6 makes of `do_lower_case` in sentence_bert_config.json. Special tokens
/// stay as they are, and accents too, unless the tokenizer's own files strip them. Throws ModelError
/// for a tokenizer of BERT's kind whose normalization is not BERT's, and for a BertJapaneseTokenizer.
[[nodiscard]] Tokenizer lower_cased(const Tokenizer& tokenizer);

}  // namespace cloze
