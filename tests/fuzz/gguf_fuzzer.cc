// Arbitrary bytes as a GGUF file: refused with an Error, or every tensor can be read, and the model
// in it is one or refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "cloze/error.h"
#include "cloze/tensor.h"
#include "export/gguf_bert.h"
#include "formats/gguf/gguf_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto file = cloze::parse_gguf(bytes, "input");
    for (const auto& [name, listed] : file.tensors) {
      const auto tensor = file.tensor(name, nullptr);
      if (tensor.shape() != listed.shape) std::abort();
    }
    const auto bert = cloze::internal::gguf_bert(file, std::nullopt, nullptr);
    if (bert.tokens.size() > static_cast<std::size_t>(bert.config.vocab_size)) std::abort();
  } catch (const cloze::Error&) {
  }
  return 0;
}
