#include "pipelines/token_places.h"

#include <algorithm>

#include "pipelines/batches.h"

namespace cloze::internal {

TokenPlaces::TokenPlaces(const Tokenizer& tokenizer, const Texts::Text& text, std::int64_t limit) {
  const EncodeOptions options{.truncation = Truncation::longest_first,
                              .max_length = static_cast<std::int32_t>(limit),
                              .overflowing = false};
  encoding_ = text.second ? tokenizer.encode(text.first, *text.second, options)
                          : tokenizer.encode(text.first, options);
  std::int32_t last = 0;  // of the code points that are asked for
  for (const auto& place : encoding_.offsets) last = std::max(last, place.end);
  const auto most = static_cast<std::size_t>(last) + 1;
  first_ = code_point_bounds(text.first, most);
  second_ = code_point_bounds(text.second.value_or(""), most);
}

Span TokenPlaces::byte_offsets(std::size_t token) const {
  return bytes_of(offsets(token), in_pair(token) ? second_ : first_);
}

}  // namespace cloze::internal
