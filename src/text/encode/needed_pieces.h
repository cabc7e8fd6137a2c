/// \file
/// How many pieces of a text a truncation looks at. What a long text has beyond them is neither
/// kept nor made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "text/encode/assemble.h"

namespace cloze::text {

inline constexpr std::size_t kAllPieces = std::numeric_limits<std::size_t>::max();

/// Of a single text: with so many of its pieces `truncate` keeps what it keeps with all. `added` are
/// the special tokens.
[[nodiscard]] inline std::size_t pieces_needed(const EncodeOptions& options, std::int32_t added) {
  const bool cuts = options.truncation == Truncation::longest_first ||
                    options.truncation == Truncation::only_first;
  const bool keeps_end = options.truncation_side == Side::left;
  if (!cuts || keeps_end || options.max_length < added) return kAllPieces;
  return static_cast<std::size_t>(options.max_length - added) + 1;  // one more tells that it is cut
}

/// The sizes of a pair's texts in pieces, or numbers for which `truncate` keeps the same.
/// `make(limit)` makes the pieces of both texts, of each about `limit` at most, and returns their
/// numbers as KeptLengths.
template <class Make>
KeptLengths make_needed_pieces(const EncodeOptions& options, std::int32_t added, const Make& make) {
  if (options.truncation != Truncation::longest_first || options.max_length < added ||
      options.truncation_side == Side::left) {
    return make(kAllPieces);
  }
  const auto room = static_cast<std::size_t>(options.max_length - added);
  for (auto limit = room + 1;; limit *= 2) {
    const KeptLengths made = make(limit);
    // Two texts that are both too long share the room; an odd one more goes to the longer, so that
    // one of them must be known whole.
    if (made.first < limit || made.second < limit || room % 2 == 0) return made;
  }
}

}  // namespace cloze::text
