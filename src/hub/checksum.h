/// \file
/// The checksums by which the Hub names a file's content.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace cloze::hub {

/// Whether an etag is a checksum that `checksum_of` computes: 64 hex digits, the SHA-256 of a file
/// in large file storage, or 40, the id of a blob in git.
[[nodiscard]] bool is_checksum(std::string_view etag);

/// The checksum of a file, of the kind that `etag` is: SHA-256 of the content, or git's blob id:
/// SHA-1 of "blob SIZE\0" and the content. Throws IoError.
[[nodiscard]] std::string checksum_of(const std::filesystem::path& path, std::string_view etag);

}  // namespace cloze::hub
