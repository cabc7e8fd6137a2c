#include "core/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "core/io/files.h"

namespace cloze {
namespace {

// Dumping a value recurses; real configurations are nested three deep.
constexpr int kDeepest = 64;

/// Throws FormatError for nesting deeper than the limit, which would exhaust the stack of what walks
/// over the value.
void limit_depth(std::string_view text, const std::string& origin) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '"') in_string = false;
      if (c == '\\') ++i;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDeepest) {
        throw FormatError(
            fmt::format("{}: its JSON is nested more than {} levels deep", origin, kDeepest));
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& origin) {
  refuse_zero_bytes(text, origin);
  limit_depth(text, origin);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw FormatError(fmt::format("{} is not valid JSON: {}", origin,
                                  describe_json_error(error.what(), error.byte)));
  } catch (const nlohmann::json::exception& error) {  // a number beyond a double
    throw FormatError(
        fmt::format("{} is not usable JSON: {}", origin, describe_json_error(error.what())));
  }
}

nlohmann::json parse_json_object(std::string_view text, const std::string& origin) {
  auto value = parse_json(text, origin);
  if (!value.is_object()) {
    throw FormatError(fmt::format("{}: expected a JSON object, found {} {}", origin,
                                  value.type_name() == std::string_view("array") ? "an" : "a",
                                  value.type_name()));
  }
  return value;
}

nlohmann::json read_json_object(const std::filesystem::path& path) {
  return parse_json_object(files::read_text(path), path.string());
}

void refuse_zero_bytes(std::string_view text, const std::string& origin, std::size_t offset) {
  const auto at = text.find('\0');
  if (at == std::string_view::npos) return;
  throw FormatError(
      fmt::format("{} is not valid JSON: it has a zero byte at byte {}", origin, at + offset + 1));
}

std::string describe_json_error(std::string_view what, std::size_t byte) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..."
  if (const auto at = what.find(": "); at != std::string_view::npos) what.remove_prefix(at + 2);
  return fmt::format("{} at byte {}", excerpt(what), byte);
}

std::string describe_json_error(std::string_view what) {
  // "[json.exception.type_error.302] type must be string, but is number"
  if (const auto at = what.find("] "); at != std::string_view::npos) what.remove_prefix(at + 2);
  return excerpt(what);
}

std::string json_excerpt(const nlohmann::json& value) {
  constexpr std::size_t kLongest = 80;
  auto text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace cloze
