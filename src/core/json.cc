#include "core/json.h"

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {
namespace {

// Dumping a value recurses; real configurations are nested three deep.
constexpr int kDeepest = 64;

}  // namespace

nlohmann::json parse_json_object(std::string_view text, const std::string& origin) {
  const auto limit_depth = [&origin](int depth, nlohmann::json::parse_event_t /*event*/,
                                     const nlohmann::json& /*parsed*/) {
    if (depth > kDeepest) {
      throw FormatError(
          fmt::format("{}: its JSON is nested more than {} levels deep", origin, kDeepest));
    }
    return true;
  };
  refuse_zero_bytes(text, origin);
  nlohmann::json value;
  try {
    value = nlohmann::json::parse(text, limit_depth);
  } catch (const nlohmann::json::parse_error& error) {
    throw FormatError(fmt::format("{} is not valid JSON: {}", origin, describe_json_error(error)));
  } catch (const nlohmann::json::exception& error) {  // a number beyond a double
    throw FormatError(fmt::format("{} is not usable JSON: {}", origin, in_quotes(error.what())));
  }
  if (!value.is_object()) {
    throw FormatError(fmt::format("{}: expected a JSON object, found {} {}", origin,
                                  value.type_name() == std::string_view("array") ? "an" : "a",
                                  value.type_name()));
  }
  return value;
}

void refuse_zero_bytes(std::string_view text, const std::string& origin, std::size_t offset) {
  const auto at = text.find('\0');
  if (at == std::string_view::npos) return;
  throw FormatError(
      fmt::format("{} is not valid JSON: it has a zero byte at byte {}", origin, at + offset + 1));
}

std::string describe_json_error(const nlohmann::json::parse_error& error, std::size_t offset) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..."
  std::string_view cause = error.what();
  if (const auto at = cause.find(": "); at != std::string_view::npos) cause.remove_prefix(at + 2);
  const auto shown = in_quotes(cause);
  return fmt::format("{} at byte {}", std::string_view(shown).substr(1, shown.size() - 2),
                     error.byte + offset);
}

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
