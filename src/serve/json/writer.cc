#include "serve/json/writer.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <nlohmann/json.hpp>

#include "serve/request_error.h"

namespace cloze::serve {
namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  if (!std::isfinite(value)) {
    throw RequestError(424, "Backend",
                       "the result is not a number: the model's weights or this text are to blame");
  }
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F || c == '"' || c == '\\') return false;
  }
  return true;
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_json(std::string& out, float value) { append_number(out, value); }
void append_json(std::string& out, double value) { append_number(out, value); }

void append_json(std::string& out, std::span<const float> values) {
  append_list(out, values, [&](float value) { append_number(out, value); });
}

void append_name(std::string& out, std::string_view name) {
  if (!out.ends_with('{')) out += ',';
  append_json(out, name);
  out += ':';
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto group = (byte(i) << 16U) | (byte(i + 1) << 8U) | byte(i + 2);
    out += digits[(group >> 18U) & 63U];
    out += digits[(group >> 12U) & 63U];
    out += i + 1 < bytes.size() ? digits[(group >> 6U) & 63U] : '=';
    out += i + 2 < bytes.size() ? digits[group & 63U] : '=';
  }
}

void append_base64(std::string& out, std::span<const float> values) {
  std::string bytes;
  bytes.reserve(values.size() * sizeof(float));
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>((bits >> shift) & 0xFFU);
    }
  }
  out += '"';
  append_base64(out, std::string_view(bytes));
  out += '"';
}

}  // namespace cloze::serve
