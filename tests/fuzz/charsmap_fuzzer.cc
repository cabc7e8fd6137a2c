// Any bytes as a SentencePiece character map, and then a text: a map that changes it, or an Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cloze/error.h"
#include "core/utf8.h"
#include "text/normalize/precompiled_map.h"
#include "text/normalize/steps.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text_size = std::min<std::size_t>(data[0], size - 1);
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const cloze::text::PrecompiledMap map(std::string(all.substr(text_size)), "fuzz");
    const cloze::utf8::ValidText valid(all.substr(0, text_size));
    for (const bool with_places : {true, false}) {
      auto from = cloze::text::placed(valid.text(), 0, cloze::OffsetUnit::bytes);
      if (!with_places) from.places.clear();
      cloze::text::NormalizedText to;
      (void)map.apply(from, to);
      if (cloze::utf8::valid_prefix(to.bytes) != to.bytes.size()) std::abort();
      if (to.places.size() != (with_places ? to.bytes.size() : 0)) std::abort();
    }
  } catch (const cloze::Error&) {  // as it should be
  }
  return 0;
}
