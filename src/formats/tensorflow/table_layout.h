/// \file
/// A check of leveldb's table format (doc/table_format.md there) before leveldb itself reads it:
/// leveldb allocates what a block's entry says before it looks whether the file has as much.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace cloze {

/// Throws FormatError unless the footer and the block of places that it names say of every block
/// that it lies inside the file. `origin` begins the messages.
void check_table_layout(std::span<const std::byte> file, const std::string& origin);

}  // namespace cloze
