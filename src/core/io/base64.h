/// \file
/// Base64 (RFC 4648, with the letters + and /).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cloze {

[[nodiscard]] std::string base64_encoded(std::span<const std::byte> bytes);

/// The bytes that `text` stands for; nothing where it is not base64 with its padding.
[[nodiscard]] std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace cloze
