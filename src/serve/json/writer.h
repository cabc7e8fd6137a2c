/// \file
/// Answers as JSON text, without a tree in memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cloze::serve {

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json(std::string& out, std::string_view text);
inline void append_json(std::string& out, const char* text) {
  append_json(out, std::string_view(text));
}

/// Appends the shortest decimal that reads back as the same number. Throws RequestError (424) for
/// one that JSON cannot say: no result of a model is one.
void append_json(std::string& out, float value);
void append_json(std::string& out, double value);

inline void append_json(std::string& out, bool value) { out += value ? "true" : "false"; }

template <std::integral Value>
void append_json(std::string& out, Value value) {
  out += std::to_string(value);
}

/// Appends "[0.1,2,-3e-05]".
void append_json(std::string& out, std::span<const float> values);

/// Appends a list: `append` is called for each element.
template <class Range, class Append>
void append_list(std::string& out, const Range& range, const Append& append) {
  out += '[';
  bool first = true;
  for (const auto& element : range) {
    if (!first) out += ',';
    first = false;
    append(element);
  }
  out += ']';
}

/// Appends `"name":value`, after a comma unless it is the first field of an object.
template <class Value>
void append_field(std::string& out, std::string_view name, const Value& value) {
  if (!out.ends_with('{')) out += ',';
  append_json(out, name);
  out += ':';
  append_json(out, value);
}

/// Appends `"name":`, for a value that is appended next.
void append_name(std::string& out, std::string_view name);

/// Appends the base64 (RFC 4648) of the bytes.
void append_base64(std::string& out, std::string_view bytes);

/// The values as little-endian f32, in base64 as a JSON string.
void append_base64(std::string& out, std::span<const float> values);

}  // namespace cloze::serve
