// Arbitrary bytes as the index of a TensorFlow checkpoint, beside data of 64 bytes: refused with an
// Error, or every tensor can be read. Blocks have checksums that a fuzzer does not guess: they are
// put right first, so that what lies behind them is reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "cloze/error.h"
#include "core/io/crc32c.h"
#include "formats/tensorflow/tensor_bundle.h"
#include "fuzz/fuzzed_file.h"

namespace {

/// A table of one block of entries and one of places, made of the input: the first byte is the
/// first block's size.
std::vector<std::uint8_t> table_of(std::span<const std::uint8_t> input) {
  std::vector<std::uint8_t> table;
  std::vector<std::uint8_t> handles;
  const auto block = [&](std::span<const std::uint8_t> content) {
    const auto varint = [&](std::size_t value) {
      for (; value >= 0x80; value >>= 7U)
        handles.push_back(static_cast<std::uint8_t>(value | 0x80U));
      handles.push_back(static_cast<std::uint8_t>(value));
    };
    varint(table.size());
    varint(content.size());
    std::vector<std::uint8_t> bytes(content.begin(), content.end());
    bytes.push_back(0);  // not compressed
    const auto crc = cloze::masked_crc(cloze::crc32c(std::as_bytes(std::span(bytes))));
    table.insert(table.end(), bytes.begin(), bytes.end());
    for (unsigned shift = 0; shift < 32; shift += 8) {
      table.push_back(static_cast<std::uint8_t>(crc >> shift));
    }
  };
  const std::size_t first = input.empty() ? 0 : std::min<std::size_t>(input[0], input.size() - 1);
  const auto rest = input.empty() ? input : input.subspan(1);
  block(rest.first(first));
  handles.clear();
  block({});
  block(rest.subspan(first));
  handles.resize(40);
  table.insert(table.end(), handles.begin(), handles.end());
  for (const std::uint64_t magic = 0xDB4775248B80FB57;
       const unsigned shift : {0U, 8U, 16U, 24U, 32U, 40U, 48U, 56U}) {
    table.push_back(static_cast<std::uint8_t>(magic >> shift));
  }
  return table;
}

void read(const std::filesystem::path& index) {
  try {
    for (const auto& [name, stored] : cloze::read_bundle(index)) {
      try {
        if (cloze::read(stored).shape() != stored.info.shape) std::abort();
      } catch (const cloze::FormatError&) {  // a checksum
      }
    }
  } catch (const cloze::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cloze::testing::FuzzedFile index("model.index");
  static const cloze::testing::FuzzedFile values("model.data-00000-of-00001",
                                                 index.path().parent_path());
  static const bool written = (values.write(std::vector<std::uint8_t>(64, 7)), true);
  if (!written) std::abort();
  index.write({data, size});
  read(index.path());
  index.write(table_of({data, size}));
  read(index.path());
  return 0;
}
