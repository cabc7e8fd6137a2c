#include "cli/format.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// The UTF-8 character at the front of `text`: its bytes, 0 where there is none, and its columns.
struct Character {
  std::size_t length = 0;
  std::size_t columns = 1;
};

Character character(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) < 0x80) return {.length = 1};
  utf8proc_int32_t code_point = -1;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                       static_cast<utf8proc_ssize_t>(text.size()), &code_point);
  if (length <= 0) return {};
  return {static_cast<std::size_t>(length),
          static_cast<std::size_t>(utf8proc_charwidth(code_point))};
}

template <class Value>
void append_number(std::string& out, Value value) {
  out += std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto length = character(text.substr(at)).length;
    if (length == 0) {
      out += replacement;
      ++at;
      continue;
    }
    const auto first = static_cast<unsigned char>(text[at]);
    if (first == '"' || first == '\\') {
      out += '\\';
      out += text[at];
    } else if (first < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", first);
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  out += '"';
}

void append_json(std::string& out, float value) { append_number(out, value); }
void append_json(std::string& out, double value) { append_number(out, value); }

std::string printable(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; })) {
    return std::string(text);
  }
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = character(text.substr(at)).length;
    const auto shown = text.substr(at, length);
    const auto first = static_cast<unsigned char>(text[at]);
    at += std::max<std::size_t>(length, 1);
    // Of two bytes, C1: what a terminal may obey too.
    const bool control =
        first < 0x20 || first == 0x7F || (shown.size() == 2 && first == 0xC2 && shown[1] < '\xA0');
    if (length == 0) {
      result += replacement;
    } else if (first == '\n') {
      result += "\\n";
    } else if (first == '\t') {
      result += "\\t";
    } else if (control) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(shown.back()));
    } else {
      result += shown;
    }
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto next = character(text.substr(at));
    width += next.columns;
    at += std::max<std::size_t>(next.length, 1);
  }
  return width;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string result(text);
  const auto used = display_width(text);
  if (used < width) result.append(width - used, ' ');
  return result;
}

std::string shortened(std::string_view text, std::size_t width) {
  std::string result;
  std::size_t used = 0;
  std::size_t fits = 0;  // bytes of the result that leave a column for the ellipsis
  for (std::size_t at = 0; at < text.size();) {
    const auto next = character(text.substr(at));
    const auto first = static_cast<unsigned char>(text[at]);
    std::string_view shown = text.substr(at, next.length);
    if (next.length == 0) shown = replacement;
    if (first < 0x20 || first == 0x7F) shown = " ";
    if (used + next.columns > width) return result.substr(0, fits) + "…";
    result += shown;
    used += next.columns;
    if (used < width) fits = result.size();
    at += std::max<std::size_t>(next.length, 1);
  }
  return result;
}

std::size_t terminal_width(int descriptor) {
  winsize size{};
  const bool known = ::isatty(descriptor) == 1 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col >= 20 ? size.ws_col : 100;
}

std::string grouped(std::int64_t value) {
  auto digits = fmt::format("{}", value);
  const std::size_t start = digits.starts_with('-') ? 1 : 0;
  for (auto at = digits.size(); at > start + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string figure(double value, int digits) {
  return std::isnan(value) ? "–" : fmt::format("{:.{}f}", value, digits);
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds + 0.5, 0.0, 1e15));
  const auto minutes = whole / 60;
  if (minutes >= 1440) return fmt::format("{} d {} h", minutes / 1440, minutes / 60 % 24);
  if (minutes >= 60) {
    return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

void print_notice(const std::string& sentence) { fmt::print(stderr, "note: {}\n", sentence); }

void print(std::string_view text) {
  auto out = Output::standard_output();
  out.write(text);
  out.finish();
}

}  // namespace cloze::cli
