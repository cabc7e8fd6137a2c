/// \file
/// The Unigram tokenizer in a GGUF file ("t5"), which llama.cpp's converter writes of models that are
/// read with XLM-RoBERTa's tokenizer.
#pragma once

#include <cstdint>
#include <string>

#include "formats/gguf/gguf_file.h"

namespace cloze::internal {

/// tokenizer.json and tokenizer_config.json, as Tokenizer::from_json takes them.
struct TokenizerTexts {
  std::string tokenizer_json, config_json;
  std::int64_t tokens = 0;
};

/// The texts of an XLMRobertaTokenizer with the file's pieces, scores and character map. The mask
/// token, which a converter leaves without its name, is <mask>. Throws FormatError for what is
/// missing or does not fit, by its key.
[[nodiscard]] TokenizerTexts gguf_unigram(const GgufFile& file, std::int64_t model_max_length);

}  // namespace cloze::internal
