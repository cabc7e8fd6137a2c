// Arbitrary bytes as a file that torch.save wrote, in either of its forms: refused with a
// FormatError, or every tensor can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "cloze/error.h"
#include "core/io/mapped_file.h"
#include "formats/torch/torch_file.h"
#include "fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cloze::testing::FuzzedFile file("pytorch_model.bin");
  file.write({data, size});
  try {
    const auto tensors =
        cloze::read_torch_file(cloze::MappedFile::open(file.path()), "input", "input");
    for (const auto& [name, stored] : tensors) {
      try {
        const auto tensor = cloze::read(stored);
        if (tensor.shape() != stored.info.shape) std::abort();
        unsigned sum = 0;  // reads all
        for (const auto byte : tensor.bytes()) sum += static_cast<unsigned>(byte);
        if (sum > 255U * tensor.bytes().size()) std::abort();
      } catch (const cloze::FormatError&) {  // a checksum
      }
    }
  } catch (const cloze::FormatError&) {
  }
  return 0;
}
