/// \file
/// Texts with a prompt before them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"

namespace cloze::internal {

/// Texts that begin with a prompt, of pairs the first; owns them.
class PromptedTexts {
 public:
  PromptedTexts(const Texts& texts, std::string_view prompt);

  [[nodiscard]] Texts view() const { return items_; }

 private:
  std::vector<TextItem> items_;
};

/// Tokens that a prompt takes at the beginning of a text, [CLS] included: as sentence-transformers
/// counts them, those of the prompt alone. Throws ArgumentError for a prompt that leaves no room for
/// a token of a text among `limit`.
[[nodiscard]] std::int64_t prompt_tokens(const Tokenizer& tokenizer, std::string_view prompt,
                                         std::int64_t limit);

/// The texts with the prompt before them, which may be empty, as tokenize (batches.h) does it.
[[nodiscard]] std::vector<TokenizedText> tokenize_prompted(const Tokenizer& tokenizer,
                                                           const Texts& texts,
                                                           const std::string& prompt,
                                                           const TextLimits& limits,
                                                           std::int64_t model_limit);

}  // namespace cloze::internal
