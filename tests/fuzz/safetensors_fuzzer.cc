// Arbitrary bytes as a safetensors file: refused with a FormatError, or every listed tensor can be
// read and lies inside the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const auto header = cloze::read_safetensors_header(file, "input");
    for (const auto& entry : header.tensors) {
      if (entry.begin > entry.end || entry.end > size) std::abort();
      const auto tensor = cloze::Tensor::view(
          entry.dtype, entry.shape, file.subspan(entry.begin, entry.end - entry.begin), nullptr);
      const std::vector<std::byte> copy(tensor.bytes().begin(), tensor.bytes().end());  // reads all
      if (copy.size() != entry.end - entry.begin) std::abort();
    }
  } catch (const cloze::FormatError&) {
  }
  return 0;
}
