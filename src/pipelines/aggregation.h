/// \file
/// From the logits of a text's tokens to its entities: the five aggregation strategies of
/// transformers' token-classification pipeline.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cloze/config.h"
#include "cloze/token_classification.h"
#include "cloze/tokenizer.h"

namespace cloze::internal {

/// A text as its entities need it.
struct TaggedText {
  std::string_view text;
  std::span<const std::int32_t> bounds;  ///< see code_point_bounds
};

/// The entities of one window of a text. `logits` are [tokens, labels].
[[nodiscard]] std::vector<TaggedEntity> entities_of(const TaggedText& text, const Encoding& window,
                                                    std::span<const float> logits,
                                                    const Tokenizer& tokenizer,
                                                    const BertConfig& config,
                                                    const TokenClassificationOptions& options);

/// Of entities that overlap, from windows that share text, the longer stays, then the surer.
[[nodiscard]] std::vector<TaggedEntity> without_overlaps(std::vector<TaggedEntity> entities);

}  // namespace cloze::internal
