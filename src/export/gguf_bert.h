/// \file
/// The BERT in a GGUF file, as llama.cpp's converter writes it: names and tokens back to those of
/// transformers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "cloze/pooling.h"
#include "cloze/tokenizer.h"
#include "export/gguf_unigram.h"
#include "formats/gguf/gguf_file.h"

namespace cloze::internal {

struct GgufBert {
  BertConfig config;  ///< `architectures` is BertModel, or BertForSequenceClassification
  /// By transformers' names; views of the file where they are not quantized, else f32.
  TensorMap tensors;
  std::vector<std::string> tokens;  ///< of a WordPiece tokenizer
  TokenizerOptions tokenizer;
  std::optional<TokenizerTexts> unigram;  ///< or this instead
  Pooling pooling = Pooling::none;  ///< none: the file asks for token vectors, or for a ranking
  std::vector<std::string> left_out;
};

/// Reads the model. `owner` keeps the file's bytes alive. A GGUF file does not say whether its
/// WordPiece tokenizer lowers text: `lowercase` does, and without it the vocabulary (lower-cased, unless
/// a token has an upper-case letter). Throws ModelError for another architecture or tokenizer, and
/// FormatError for what is missing or does not fit, by its key or tensor.
[[nodiscard]] GgufBert gguf_bert(const GgufFile& file, std::optional<bool> lowercase,
                                 const std::shared_ptr<const void>& owner);

}  // namespace cloze::internal
