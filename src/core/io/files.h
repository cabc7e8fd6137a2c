/// \file
/// What Cloze does with files and directories, with errors as IoError that name the path and the
/// cause; no function here throws std::filesystem::filesystem_error. Questions (`exists`, `size`)
/// do not throw: where the system refuses an answer, it is no.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloze::files {

/// Whether something has this name; links are followed.
[[nodiscard]] bool exists(const std::filesystem::path& path);
[[nodiscard]] bool is_directory(const std::filesystem::path& path);
[[nodiscard]] bool is_regular(const std::filesystem::path& path);

/// Bytes of a regular file; nothing where there is none.
[[nodiscard]] std::optional<std::int64_t> size(const std::filesystem::path& path);

/// The bytes of a file. Throws IoError.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);
/// The same; nothing when it cannot be read.
[[nodiscard]] std::optional<std::string> text_if_readable(const std::filesystem::path& path);

/// Writes a file whole or not at all (core/io/atomic_file.h). Throws IoError.
void write_text(const std::filesystem::path& path, std::string_view text);

/// Writes the bytes of `from` to `to`, as write_text does; shares them on the disk where the file
/// system can do that without one file changing with the other. Throws IoError.
void copy(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes a directory and those above it; it may be there already. Throws IoError.
void make_directory(const std::filesystem::path& directory);

/// Removes a file or an empty directory, if it is there. Throws IoError.
void remove(const std::filesystem::path& path);
/// Removes a directory with all that is in it, if it is there. Throws IoError.
void remove_tree(const std::filesystem::path& directory);

/// Waits until the names in a directory are on the disk. Some file systems refuse that; what is in
/// the directory is there all the same, so nothing is thrown.
void sync_directory(const std::filesystem::path& directory);

/// What a directory holds, sorted by name. Throws IoError.
[[nodiscard]] std::vector<std::filesystem::path> list(const std::filesystem::path& directory);
/// The regular files in a directory and those below it, sorted; links to directories are not
/// followed. Throws IoError.
[[nodiscard]] std::vector<std::filesystem::path> list_recursively(
    const std::filesystem::path& directory);

}  // namespace cloze::files

namespace cloze {
using files::make_directory;
}  // namespace cloze
