/// \file
/// Where the tokens of a text stand in it, for pipelines that answer with places.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cloze/pipeline.h"
#include "cloze/tokenizer.h"

namespace cloze::internal {

/// A text or pair, cut to `limit` tokens as `tokenize` cuts it, with the places of its tokens.
class TokenPlaces {
 public:
  TokenPlaces(const Tokenizer& tokenizer, const Texts::Text& text, std::int64_t limit);

  [[nodiscard]] const Encoding& encoding() const { return encoding_; }
  [[nodiscard]] bool in_pair(std::size_t token) const { return encoding_.sequence_ids[token] == 1; }
  [[nodiscard]] Span offsets(std::size_t token) const { return encoding_.offsets[token]; }
  [[nodiscard]] Span byte_offsets(std::size_t token) const;

 private:
  Encoding encoding_;
  std::vector<std::int32_t> first_, second_;  ///< code_point_bounds of both texts
};

}  // namespace cloze::internal
