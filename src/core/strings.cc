#include "core/strings.h"

#include <fmt/format.h>

#include "core/utf8.h"

namespace cloze {
namespace {

/// C0, DEL and C1: what a terminal obeys instead of showing it.
bool is_control(char32_t cp) { return cp < 0x20 || (cp >= 0x7F && cp < 0xA0); }

/// `text`, printable, of which about `longest` bytes are shown.
std::string printable(std::string_view text, std::size_t longest) {
  std::string shown;
  std::size_t at = 0;
  while (at < text.size() && shown.size() < longest) {
    // A code point has at most four bytes; what follows it does not matter.
    const auto ahead = text.substr(at, 4);
    const char* end = ahead.data();
    const bool valid = utf8::valid_prefix(ahead) > 0;
    const bool plain = valid && !is_control(utf8::decode(end));
    const auto bytes = ahead.substr(0, valid ? static_cast<std::size_t>(end - ahead.data()) : 1);
    if (plain) {
      shown += bytes;
    } else {
      for (const char c : bytes) {
        shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      }
    }
    at += bytes.size();
  }
  if (at < text.size()) shown += "...";
  return shown;
}

}  // namespace

std::string excerpt(std::string_view text) { return printable(text, 80); }

std::string excerpt_of_path(const std::filesystem::path& path) {
  return printable(path.native(), 1024);
}

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", excerpt(text)); }

}  // namespace cloze
