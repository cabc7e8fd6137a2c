// Tokenizes what comes on standard input and writes everything that an Encoding says, in binary:
// what compare_tokenizers.py holds against the references. Numbers are little-endian 32 bits.
//
//   dump_encodings MODEL_DIR [hf|google] [none|longest_first|only_first|only_second] [MAX] [STRIDE]
//                  [code_points|bytes]
//
// in:  {kind, size, text[size], (kind 1: size, pair[size])}*     kind 0: a text, 1: a pair
// out: {n, ids[n], type_ids[n], offsets[2n], special[n], word_ids[n], sequence_ids[n],
//       size, tokens[size] joined by newlines, overflows, {the same}[overflows]}*,
//      or {-1, size, message[size]} where encode threw
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "cloze/error.h"
#include "cloze/tokenizer.h"

namespace {

bool read_number(std::uint32_t& value) { return std::fread(&value, sizeof value, 1, stdin) == 1; }

std::string read_text() {
  std::uint32_t size = 0;
  if (!read_number(size)) throw cloze::FormatError("the input ends early");
  std::string text(size, '\0');
  if (std::fread(text.data(), 1, size, stdin) != size) {
    throw cloze::FormatError("the input ends early");
  }
  return text;
}

void put(std::int32_t value) { std::fwrite(&value, sizeof value, 1, stdout); }

template <class T>
void put_all(const std::vector<T>& values) {
  for (const T value : values) put(static_cast<std::int32_t>(value));
}

void put(const std::string& text) {
  put(static_cast<std::int32_t>(text.size()));
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void put(const cloze::Encoding& encoding) {
  put(static_cast<std::int32_t>(encoding.ids.size()));
  put_all(encoding.ids);
  put_all(encoding.type_ids);
  for (const auto [begin, end] : encoding.offsets) put(begin), put(end);
  put_all(encoding.special_tokens_mask);
  put_all(encoding.word_ids);
  put_all(encoding.sequence_ids);
  std::string tokens;
  for (const auto& token : encoding.tokens) tokens += token + '\n';
  put(tokens);
  put(static_cast<std::int32_t>(encoding.overflowing.size()));
  for (const auto& window : encoding.overflowing) put(window);
}

cloze::Truncation truncation_from(const std::string& name) {
  if (name == "longest_first") return cloze::Truncation::longest_first;
  if (name == "only_first") return cloze::Truncation::only_first;
  if (name == "only_second") return cloze::Truncation::only_second;
  return cloze::Truncation::none;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto arg = [&args](std::size_t i, const char* otherwise) {
    return i < args.size() ? args[i] : std::string(otherwise);
  };
  const auto tokenizer = cloze::Tokenizer::from_pretrained(
      arg(0, "."),
      arg(1, "hf") == "google" ? cloze::TokenizerMode::google : cloze::TokenizerMode::hf);
  cloze::EncodeOptions options;
  options.truncation = truncation_from(arg(2, "none"));
  options.max_length = std::stoi(arg(3, "512"));
  options.stride = std::stoi(arg(4, "0"));
  if (arg(5, "code_points") == "bytes") options.offsets = cloze::OffsetUnit::bytes;

  for (std::uint32_t kind = 0; read_number(kind);) {
    const auto text = read_text();
    try {
      put(kind == 1 ? tokenizer.encode(text, read_text(), options)
                    : tokenizer.encode(text, options));
    } catch (const cloze::ArgumentError& error) {
      put(-1);
      put(std::string(error.what()));
    }
  }
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return EXIT_FAILURE;
}
