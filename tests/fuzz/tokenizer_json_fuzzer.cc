// Any bytes as tokenizer.json, vocab.txt or tokenizer_config.json: a tokenizer, or an Error.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <unistd.h>

#include "cloze/error.h"
#include "cloze/tokenizer.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json"};

void write(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fs::path folder =
      fs::temp_directory_path() / ("cloze-fuzz-tokenizer-" + std::to_string(::getpid()));
  if (size == 0) return 0;
  fs::create_directories(folder);
  for (const auto* name : kNames) fs::remove(folder / name);
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto which = data[0] % 3;
  if (which == 2) write(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n");
  write(folder / kNames[which], content);
  try {
    const auto tokenizer = cloze::Tokenizer::from_pretrained(folder);
    const auto encoding = tokenizer.encode("a [MASK] b\u00E9\u6771", "ab");
    (void)tokenizer.decode(encoding.ids);
  } catch (const cloze::Error&) {  // as it should be
  }
  fs::remove_all(folder);
  return 0;
}
