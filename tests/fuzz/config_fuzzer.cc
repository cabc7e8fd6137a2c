// Arbitrary bytes as a config.json: refused with an Error, or a model of sane sizes whose saved
// form reads back as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cloze/config.h"
#include "cloze/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cloze::BertConfig config;
  try {
    config = cloze::BertConfig::from_json(text, "input");
  } catch (const cloze::Error&) {
    return 0;
  }
  if (config.head_dim() < 1 || config.num_labels() < 1) std::abort();
  const auto saved = config.to_json();
  if (cloze::BertConfig::from_json(saved, "saved").to_json() != saved) std::abort();
  return 0;
}
