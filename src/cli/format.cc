#include "cli/format.h"

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cwchar>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cloze/output.h"

namespace cloze::cli {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Bytes of the well-formed UTF-8 character at the front of `text`, 0 if there is none.
/// The Unicode Standard 15.0, table 3-7.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = continues(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = continues(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Columns of one character. The C library knows them in a UTF-8 locale only.
std::size_t columns(std::string_view one) {
  if (one.size() == 1) return 1;
  static const bool located = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  wchar_t wide = 0;
  std::mbstate_t state{};
  if (!located || std::mbrtowc(&wide, one.data(), one.size(), &state) != one.size()) return 1;
  const int width = ::wcwidth(wide);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

template <class Value>
void append_number(std::string& out, Value value) {
  out += std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto length = character(text.substr(at));
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

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = character(text.substr(at));
    width += length == 0 ? 1 : columns(text.substr(at, length));
    at += length == 0 ? 1 : length;
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
    const auto length = character(text.substr(at));
    const auto first = static_cast<unsigned char>(text[at]);
    std::string_view shown = text.substr(at, length);
    if (length == 0) shown = replacement;
    if (first < 0x20 || first == 0x7F) shown = " ";
    const auto wide = columns(shown);
    if (used + wide > width) return result.substr(0, fits) + "…";
    result += shown;
    used += wide;
    if (used < width) fits = result.size();
    at += length == 0 ? 1 : length;
  }
  return result;
}

std::size_t terminal_width() {
  constexpr std::size_t otherwise = 100;
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1) return otherwise;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return otherwise;
  return size.ws_col;
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

void print(std::string_view text) {
  auto out = Output::standard_output();
  out.write(text);
  out.finish();
}

}  // namespace cloze::cli
