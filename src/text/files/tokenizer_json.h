/// \file
/// `tokenizer.json`, as the tokenizers library writes it.
#pragma once

#include <string>
#include <string_view>

#include "text/files/tokenizer_files.h"

namespace cloze::text {

/// Takes what the file says into `spec`: the vocabulary, the rules, the templates, the added tokens,
/// as far as `spec.tokenizer_class`, which must be known, takes them.
/// `origin` begins the messages. Throws FormatError, and ModelError for the tokenizer of another
/// kind of model.
void read_tokenizer_json(std::string_view json, const std::string& origin, TokenizerSpec& spec);

/// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`, the tokens named as given, which the vocabulary has.
[[nodiscard]] Templates bert_templates(const Vocabulary& vocabulary, const std::string& cls,
                                       const std::string& sep);

/// `<s> A </s>` and `<s> A </s></s> B </s>`, all of type 0, the tokens named as given, which the
/// vocabulary has.
[[nodiscard]] Templates roberta_templates(const Vocabulary& vocabulary, const std::string& cls,
                                          const std::string& sep);

}  // namespace cloze::text
