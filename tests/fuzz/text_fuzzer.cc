// Any bytes as text, with any switches: encodings keep their promises, and the packed batch, the
// google mode and decode agree with them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/utf8.h"
#include "text/encode/pipeline.h"
#include "text/normalize/normalized_text.h"

namespace {

using namespace cloze;  // a program of its own

text::Vocabulary vocabulary() {
  text::Vocabulary words;
  std::int32_t id = 0;
  for (const auto* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) words.add(token, id++);
  for (char32_t cp = 33; cp < 0x600; ++cp) {
    char bytes[4];
    const std::string character(bytes, static_cast<std::size_t>(utf8::encode(cp, bytes)));
    words.add(character, id++);
    words.add("##" + character, id++);
  }
  for (const auto* token :
       {"the", "##ing", "东京", "##京", "aaaaaaaaaaaaaaaaaaaa", "##aaaaaaaaaaaa"}) {
    words.add(token, id++);
  }
  return words;
}

struct Case {
  text::NormalizerRules rules;
  std::unique_ptr<text::Pipeline> pipeline;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (unsigned bits = 0; bits < 32; ++bits) {
    Case c;
    c.rules = {.google = (bits & 16U) != 0,
               .clean_text = (bits & 1U) != 0 || (bits & 16U) != 0,
               .handle_chinese_chars = (bits & 2U) != 0 || (bits & 16U) != 0,
               .strip_accents = (bits & 4U) != 0,
               .lowercase = (bits & 8U) != 0};
    std::vector<text::AddedToken> added{{.content = "[MASK]", .id = 4, .special = true},
                                        {.content = "<a>", .id = 0, .lstrip = true, .rstrip = true},
                                        {.content = "<a>b", .id = 1, .single_word = true}};
    if ((bits & 1U) != 0) added.push_back({.content = "Neẅ", .id = 2, .normalized = true});
    c.pipeline = std::make_unique<text::Pipeline>(
        text::WordPieceModel(vocabulary(), c.rules, 1, (bits & 2U) != 0 ? 100 : 5), added);
    result.push_back(std::move(c));
  }
  return result;
}

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Case& c, std::string_view input, OffsetUnit unit) {
  text::Pieces pieces;
  c.pipeline->pieces(input, unit, pieces);
  const auto n = pieces.ids.size();
  require(pieces.offsets.size() == n && pieces.words.size() == n);
  const utf8::ValidText valid(input);
  const auto end = unit == OffsetUnit::bytes ? static_cast<std::int32_t>(input.size())
                                             : utf8::count_code_points(valid.text());
  std::int32_t begin = 0;
  std::int32_t word = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto [from, to] = pieces.offsets[i];
    require(from >= 0 && from < to && to <= end);
    require(pieces.words[i] == word || pieces.words[i] == word + 1);
    require(from >= begin || c.rules.google);
    begin = from;
    word = pieces.words[i];
  }
  std::vector<std::int32_t> ids;
  c.pipeline->ids(input, unit, static_cast<std::size_t>(-1), ids, nullptr, nullptr);
  require(ids == pieces.ids);
  if (c.rules.google || input.find('[') != std::string_view::npos ||
      input.find('<') != std::string_view::npos || c.rules.clean_text) {
    return;
  }
  // No added token can be in it: the one pass is the same as stage by stage.
  text::Pieces plain;
  text::PieceSink sink{&plain.ids, &plain.offsets, &plain.words};
  const auto& model = c.pipeline->model();
  const auto normalized = model.normalize(valid.text(), 0, OffsetUnit::code_points);
  model.segment_normalized(normalized, 0, normalized.bytes.size(), sink);
  require(plain.ids == pieces.ids);
  if (unit == OffsetUnit::code_points) require(plain.offsets == pieces.offsets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Case> all = cases();
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto unit = (data[0] & 0x80U) != 0 ? OffsetUnit::bytes : OffsetUnit::code_points;
  check(all[data[0] % all.size()], input, unit);
  return 0;
}
