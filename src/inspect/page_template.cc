#include "inspect/page_template.h"

#include <algorithm>

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze::page {

std::string fill(std::string_view text,
                 std::span<const std::pair<std::string_view, std::string_view>> parts) {
  std::string page;
  while (true) {
    const auto begin = text.find("{{");
    page += text.substr(0, begin);
    if (begin == std::string_view::npos) return page;
    const auto end = text.find("}}", begin);
    const auto name = text.substr(begin + 2, end - begin - 2);
    const auto part = std::find_if(parts.begin(), parts.end(),
                                   [&](const auto& known) { return known.first == name; });
    if (part == parts.end()) throw Error(fmt::format("the page has no part {}", name));
    page += part->second;
    text.remove_prefix(end + 2);
  }
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string escape_script(std::string_view json) {
  constexpr std::string_view separators = "\xE2\x80";  // U+2028 and U+2029 but for their last byte
  std::string escaped;
  escaped.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    const bool separator = json.substr(i).starts_with(separators) && i + 2 < json.size() &&
                           (json[i + 2] == '\xA8' || json[i + 2] == '\xA9');
    if (c == '<' || c == '>' || c == '&') {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (separator) {
      escaped += json[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace cloze::page
