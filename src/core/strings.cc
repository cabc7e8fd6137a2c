#include "core/strings.h"

#include <fmt/format.h>

namespace cloze {

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string shown = "\"";
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  shown += text.size() > kLongest ? "...\"" : "\"";
  return shown;
}

}  // namespace cloze
