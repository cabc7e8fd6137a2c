/// \file
/// What `cloze encode` does with models of other vectors than one a text: weights of words, and
/// vectors of tokens to be compared one by one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/text_command.h"

namespace cloze::cli {

/// The options of `cloze encode`.
struct EncodeSettings {
  std::string pooling;  ///< as it was given; empty: the directory's
  bool normalize = false;
  std::vector<std::int64_t> layers{-1};
  std::int64_t dimensions = 0;
  PromptOptions prompt;
  std::string output;
  std::int64_t top_k = 0;             ///< of sparse vectors; 0: all
  std::string sparse_format = "ids";  ///< of sparse vectors as JSON
  std::string role = "document";      ///< of texts that are compared token by token

  /// Bytes of text and the rest of a run over the input, in pieces of so many batches.
  [[nodiscard]] PieceOptions pieces(const TextCommand& command, TextLimits limits,
                                    std::int64_t batches) const;
};

/// The weights of words of each text. Throws as SparseEncoder does.
void encode_sparse(const TextCommand& command, const EncodeSettings& settings, TextReader& reader);

/// The vectors of each text's tokens. Throws as MultiVectorEncoder does.
void encode_multi_vector(const TextCommand& command, const EncodeSettings& settings,
                         TextReader& reader);

}  // namespace cloze::cli
