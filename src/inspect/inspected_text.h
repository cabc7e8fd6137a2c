/// \file
/// The text (or pair) that is looked into, as tokens and as words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/batch.h"
#include "cloze/tokenizer.h"

namespace cloze {

/// Neighbouring tokens of one word, or a special token.
struct InspectedWord {
  std::int32_t begin = 0, end = 0;  ///< its tokens
  std::int32_t sequence = -1;       ///< 0 first text, 1 second, -1 special token
  bool space = false;               ///< something of the text stands between it and the word before
  std::string text = {};            ///< as it stands in the text; the token where it is special
};

struct InspectedText {
  std::string text;
  std::optional<std::string> pair;
  Encoding encoding = {};  ///< offsets in bytes
  Batch batch = {};        ///< the one sequence
  std::vector<InspectedWord> words = {};

  [[nodiscard]] std::int64_t tokens() const { return batch.total_tokens(); }
  /// The places of tokens that are part of the text: not [CLS], [SEP], [MASK].
  [[nodiscard]] std::vector<std::int32_t> own_positions(const Tokenizer& tokenizer) const;
  /// The piece of the text that the tokens [begin, end) of one sequence came from.
  [[nodiscard]] std::string surface(std::int32_t begin, std::int32_t end) const;
};

/// How long a text may be, and what happens to a longer one.
struct InspectedLength {
  std::int64_t tokens = 512;
  bool truncate = false;
};

/// Throws ArgumentError for a text (or second text) without a token, and for one over the limit
/// that is not to be truncated.
[[nodiscard]] InspectedText inspected_text(const Tokenizer& tokenizer, std::string text,
                                           std::optional<std::string> pair,
                                           const InspectedLength& length);

}  // namespace cloze
