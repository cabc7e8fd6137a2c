// Tokenizes what comes on standard input and writes everything that an Encoding says, in binary:
// what compare_tokenizers.py holds against the references. Numbers are little-endian 32 bits.
//
//   dump_encodings MODEL_DIR [hf|google] [none|longest_first|only_first|only_second] [MAX] [STRIDE]
//                  [code_points|bytes] [decode] [batch] [pad LENGTH MULTIPLE left|right] [save DIR]
//
// in:  {kind, text, (odd kinds: pair)}*     kinds 0, 1: a text is {size, bytes[size]};
//                                           kinds 2, 3: words, {count, {size, bytes[size]}[count]}
// out: {n, ids[n], type_ids[n], offsets[2n], special[n], word_ids[n], sequence_ids[n], mask[n],
//       size, tokens[size] joined by newlines, overflows, {the same}[overflows]}*,
//      or {-1, size, message[size]} where encode threw; with `decode` after each encoding what its
//      ids read: {size, text[size]}, special tokens kept, then skipped, then skipped and cleaned up
// `batch` encodes the texts (no words, no errors) by encode_batch; `pad` pads them all together.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <string_view>
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
  put_all(encoding.attention_mask);
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

// A text or its pair: one string, or words.
std::vector<std::string> read_side(bool words) {
  std::uint32_t count = 1;
  if (words && !read_number(count)) throw cloze::FormatError("the input ends early");
  std::vector<std::string> side(count);
  for (auto& text : side) text = read_text();
  return side;
}

struct Item {
  std::uint32_t kind = 0;  // 1: has a pair; 2: words
  std::vector<std::string> first, second;
};

cloze::Encoding encode(const cloze::Tokenizer& tokenizer, const Item& item,
                       const cloze::EncodeOptions& options) {
  const std::vector<std::string_view> first(item.first.begin(), item.first.end());
  const std::vector<std::string_view> second(item.second.begin(), item.second.end());
  switch (item.kind) {
    case 0:
      return tokenizer.encode(first[0], options);
    case 1:
      return tokenizer.encode(first[0], second[0], options);
    case 2:
      return tokenizer.encode_words(first, options);
    default:
      return tokenizer.encode_words(first, second, options);
  }
}

// Texts and pairs are batches of their own; the order of the items is kept.
std::vector<cloze::Encoding> encode_batch(const cloze::Tokenizer& tokenizer,
                                          const std::vector<Item>& items,
                                          const cloze::EncodeOptions& options) {
  std::vector<std::string_view> texts;
  std::vector<cloze::TextPair> pairs;
  for (const auto& item : items) {
    if (item.kind == 0) texts.push_back(item.first[0]);
    if (item.kind == 1) pairs.push_back({item.first[0], item.second[0]});
  }
  auto of_texts = tokenizer.encode_batch(texts, options);
  auto of_pairs = tokenizer.encode_batch(pairs, options);
  std::vector<cloze::Encoding> all;
  auto text = of_texts.begin();
  auto pair = of_pairs.begin();
  for (const auto& item : items) all.push_back(std::move(item.kind == 0 ? *text++ : *pair++));
  return all;
}

void put_decoded(const cloze::Tokenizer& tokenizer, const cloze::Encoding& encoding) {
  put(tokenizer.decode(encoding.ids, false, false));
  put(tokenizer.decode(encoding.ids, true, false));
  put(tokenizer.decode(encoding.ids, true, true));
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<std::string> args(argv + 1, argv + argc);
  bool batched = false;
  bool decoded = false;
  std::string save_to;
  std::vector<std::string> padding;
  for (std::size_t i = 6; i < args.size(); ++i) {
    if (args[i] == "batch") batched = true;
    if (args[i] == "decode") decoded = true;
    if (args[i] == "save" && i + 1 < args.size()) save_to = args[++i];
    if (args[i] == "pad" && i + 3 < args.size()) {
      const auto at = args.begin() + static_cast<std::ptrdiff_t>(i);
      padding.assign(at + 1, at + 4);
      i += 3;
    }
  }
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
  if (!save_to.empty()) tokenizer.save_pretrained(save_to);

  std::vector<Item> items;  // only those of a batch
  for (std::uint32_t kind = 0; read_number(kind);) {
    Item item{kind, read_side(kind >= 2), {}};
    if (kind % 2 == 1) item.second = read_side(kind >= 2);
    if (batched) {
      items.push_back(std::move(item));
      continue;
    }
    try {
      const auto encoding = encode(tokenizer, item, options);
      put(encoding);
      if (decoded) put_decoded(tokenizer, encoding);
    } catch (const cloze::ArgumentError& error) {
      put(-1);
      put(std::string(error.what()));
    }
  }
  auto encodings = encode_batch(tokenizer, items, options);
  if (!padding.empty()) {
    tokenizer.pad(encodings,
                  {.length = std::stoi(padding[0]),
                   .multiple_of = std::stoi(padding[1]),
                   .side = padding[2] == "left" ? cloze::Side::left : cloze::Side::right});
  }
  for (const auto& encoding : encodings) put(encoding);
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return EXIT_FAILURE;
}
