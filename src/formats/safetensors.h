/// \file
/// The safetensors format (https://huggingface.co/docs/safetensors): eight bytes of little-endian
/// header length, a JSON header that gives each tensor's dtype, shape and place, and the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/tensor.h"

namespace cloze {

/// A header's entry. [begin, end) are bytes of the whole file (in a header to be written: of the
/// data, which follows the header).
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  ///< in the order in which they lie in the file
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a whole file's bytes, as strictly as the reference reader: the
/// tensors fill the file without overlap, hole or remainder, each of the size that its dtype and
/// shape make. `origin` begins the messages. Throws FormatError.
[[nodiscard]] SafetensorsHeader read_safetensors_header(std::span<const std::byte> file,
                                                        const std::string& origin);

/// The first bytes of a file: the header's length and the header, filled up with spaces to a
/// multiple of 8 bytes, or to `size` bytes where that is given. The entries are written in their
/// order. Throws ArgumentError for a name that is not UTF-8 or that the format keeps for itself, and
/// for a header that is longer than `size`.
[[nodiscard]] std::string safetensors_header(const SafetensorsHeader& header, std::size_t size = 0);

/// The format's name of a dtype: "F32", "BOOL", ...
[[nodiscard]] std::string_view safetensors_name(DType dtype);

}  // namespace cloze
