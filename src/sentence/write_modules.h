/// \file
/// The files that make a model's directory one of sentence-transformers.
#pragma once

#include <cstdint>
#include <filesystem>

#include "cloze/pooling.h"

namespace cloze {

/// How a sentence's vector is made of its tokens' vectors.
struct SentenceModules {
  std::int64_t hidden_size = 0;  ///< columns of a token's vector
  Pooling pooling = Pooling::mean;
  std::int64_t max_seq_length = 0;  ///< longest text in tokens
  bool normalize = false;           ///< to length 1, at the end
};

/// Writes `modules.json`, `sentence_bert_config.json` and the modules' directories beside the model.
/// Throws IoError.
void write_modules(const std::filesystem::path& directory, const SentenceModules& modules);

}  // namespace cloze
