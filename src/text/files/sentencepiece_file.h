/// \file
/// A tokenizer that is a SentencePiece model alone, as XLMRobertaTokenizer reads one.
#pragma once

#include <filesystem>
#include <string>

#include "text/files/tokenizer_files.h"

namespace cloze::text {

/// The SentencePiece model in `directory`. Throws IoError where there is none.
[[nodiscard]] std::filesystem::path sentencepiece_file(const std::filesystem::path& directory);

/// The pieces that XLM-RoBERTa has besides those of the file.
struct XlmRobertaPieces {
  std::string bos = "<s>", pad = "<pad>", eos = "</s>", unk = "<unk>", mask = "<mask>";
};

/// Takes the pieces and the character map into `spec`, with the ids of XLM-RoBERTa: bos 0, pad 1,
/// eos 2, unk 3, from there the file's pieces from its fourth on, and mask last. Throws IoError,
/// FormatError, and ModelError for a model that is not Unigram.
void read_sentencepiece(const std::filesystem::path& file, const XlmRobertaPieces& pieces,
                        TokenizerSpec& spec);

}  // namespace cloze::text
