// Arbitrary bytes as a model.safetensors.index.json: refused with a FormatError, or file names that
// stay in the index's folder.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "cloze/error.h"
#include "formats/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    for (const auto& [name, file] : cloze::read_shard_index(text, "input")) {
      const std::filesystem::path path = std::filesystem::path("folder") / file;
      if (path.lexically_normal().parent_path() != "folder") std::abort();
    }
  } catch (const cloze::FormatError&) {
  }
  return 0;
}
