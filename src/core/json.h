/// \file
/// JSON as the checkpoint files hold it: parsed with a limit on its depth, and errors that say
/// where.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace cloze {

/// Parses JSON that must be one object. `origin` begins the messages. Throws FormatError: not JSON
/// (byte and cause), not an object, or nested deeper than any such file has reason to be.
[[nodiscard]] nlohmann::json parse_json_object(std::string_view text, const std::string& origin);

/// nlohmann's parser takes a zero byte for the end of its input, and would not see what follows:
/// throws FormatError where there is one. `offset` is added to its byte (which counts from 1, as
/// nlohmann's do).
void refuse_zero_bytes(std::string_view text, const std::string& origin, std::size_t offset = 0);

/// The cause and place of a parse error without nlohmann's own prefix: "syntax error ... at byte
/// 12"; `offset` is added to its byte.
[[nodiscard]] std::string describe_json_error(const nlohmann::json::parse_error& error,
                                              std::size_t offset = 0);

/// `text` in double quotes for a message: control characters escaped, cut short after 80 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace cloze
