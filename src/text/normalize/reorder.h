/// \file
/// The careful way through canonical reordering: a run of combining characters as a whole. Needed
/// for the few combining characters that stay (spacing marks with a combining class, and what a
/// Unicode version of the oracle's does not call a mark), so it may take its time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/normalize/char_actions.h"

namespace cloze::text {

/// A code point after normalization, from [begin, end) of the text's offsets.
struct NormalizedChar {
  char32_t cp;
  std::int32_t begin, end;
};

struct ReorderedRun {
  std::vector<NormalizedChar> chars;
  const char* end;     ///< where the run ends in the text
  std::int32_t index;  ///< offset there
};

/// Normalizes the character at `p` and the combining characters after it: decomposition, canonical
/// order, nonspacing marks dropped, lower case. `index` is the offset of `p`, counted in code
/// points or bytes. As in Hugging Face's NormalizedString, reordered characters are aligned by
/// position: the k-th of them with the k-th of the originals.
[[nodiscard]] ReorderedRun reorder(const CharActions& actions, const char* p, const char* end,
                                   std::int32_t index, bool count_code_points);

/// Whether Python lower-cases the capital sigma at `at` in `text` to a final sigma: after a cased
/// letter and before none, within its whitespace-separated token, case-ignorables aside.
[[nodiscard]] bool final_sigma(const CharActions& actions, std::string_view text, const char* at);

}  // namespace cloze::text
