/// \file
/// JSON that comes from outside (files, the network), parsed behind one guard: limits on its depth,
/// no zero bytes, errors that say where and stay short.
///
/// Of a key that an object has twice the last value counts, as in Python's `json` and so in
/// transformers. Formats whose reference refuses such a file (safetensors, tokenizer.json) refuse
/// it where they are read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/strings.h"  // IWYU pragma: export

namespace cloze {

/// Parses JSON of any kind. `origin` begins the messages. Throws FormatError: not JSON (byte and
/// cause), or nested deeper than any such file has reason to be.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& origin);

/// The same for JSON that must be one object.
[[nodiscard]] nlohmann::json parse_json_object(std::string_view text, const std::string& origin);

/// The object in a file. Throws IoError, and as parse_json_object does.
[[nodiscard]] nlohmann::json read_json_object(const std::filesystem::path& path);

/// Throws FormatError for a zero byte, where nlohmann's parser ends its input without a word: for
/// readers that use that parser themselves. `offset` is added to the byte in the message (bytes
/// count from 1, as nlohmann's do).
void refuse_zero_bytes(std::string_view text, const std::string& origin, std::size_t offset = 0);

/// What a parse error says without nlohmann's own prefix, short enough for a message, and where:
/// "syntax error ... at byte 12".
[[nodiscard]] std::string describe_json_error(std::string_view what, std::size_t byte);

/// The same of an error about values: "type must be string, but is number".
[[nodiscard]] std::string describe_json_error(std::string_view what);

/// A value as JSON for a message: cut short after 80 bytes; what is not UTF-8 is replaced.
[[nodiscard]] std::string json_excerpt(const nlohmann::json& value);

}  // namespace cloze
