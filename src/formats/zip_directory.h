/// \file
/// Zip archives (PKWARE's APPNOTE.TXT 6.3.10, zip64 included) as `torch.save` writes them: entries
/// that are stored, not compressed, so that what they hold can be mapped. libzip and its like hand
/// out copies only, which is why the directory is read here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace cloze {

/// A stored entry: bytes [offset, offset + size) of the whole file.
struct ZipEntry {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t crc32 = 0;
};

/// Reads and checks the directory of a whole file's `bytes`: name → entry. Nothing of the entries'
/// bytes is read. `origin` begins the messages. Throws FormatError: not a zip, truncated, entries
/// that are compressed, encrypted, outside the file, or of one name.
[[nodiscard]] std::map<std::string, ZipEntry> read_zip_directory(std::span<const std::byte> bytes,
                                                                 const std::string& origin);

}  // namespace cloze
