/// \file
/// Fill-mask: the tokens that the masked language model expects at each [MASK] of a text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cloze/bert.h"
#include "cloze/tokenizer.h"
#include "datasets/batching.h"

namespace cloze {

struct MaskCandidate {
  std::string token;
  std::int32_t id = 0;
  double score = 0;      ///< probability, softmax over the vocabulary
  std::string sequence;  ///< the text with this token in place
};

struct FilledMask {
  std::int64_t position = 0;              ///< of the mask, in the text's tokens
  std::vector<MaskCandidate> candidates;  ///< best first; equal scores by id
};

struct FillMaskOptions {
  std::int64_t top_k = 5;
  std::int64_t batch_tokens = 8192;
};

/// The masks of each text, in order; a text without one has an empty list. Sequences are decoded as
/// transformers' fill-mask pipeline has them: without special tokens when the text has one mask;
/// with them, the other masks among them, when it has several.
/// Throws ModelError when the vocabulary has no [MASK], ArgumentError for a `top_k` that is not in
/// 1..vocabulary.
[[nodiscard]] std::vector<std::vector<FilledMask>> fill_masks(const BertForMaskedLM& model,
                                                              const Tokenizer& tokenizer,
                                                              std::span<const TokenizedText> texts,
                                                              const FillMaskOptions& options);

}  // namespace cloze
