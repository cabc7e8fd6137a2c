// Unigram tokenizers against what Hugging Face's make of the same texts (make_unigram_goldens.py).
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kGoldens = fs::path(CLOZE_SOURCE_DIR) / "tests/text/unigram_goldens";

const Json& goldens() {
  static const Json all = [] {
    std::ifstream in(kGoldens / "encodings.json");
    return Json::parse(in);
  }();
  return all;
}

const Tokenizer& tokenizer_of(const std::string& model) {
  static std::map<std::string, Tokenizer> tokenizers;
  if (!tokenizers.contains(model)) {
    tokenizers.emplace(model, Tokenizer::from_pretrained(kGoldens / model));
  }
  return tokenizers.at(model);
}

Json flat(const std::vector<Span>& offsets) {
  Json out = Json::array();
  for (const auto [begin, end] : offsets) out.push_back(begin), out.push_back(end);
  return out;
}

void expect_same(const Encoding& ours, const Json& theirs) {
  EXPECT_EQ(Json(ours.ids), theirs["ids"]);
  EXPECT_EQ(Json(ours.tokens), theirs["tokens"]);
  EXPECT_EQ(flat(ours.offsets), theirs["offsets"]);
  EXPECT_EQ(Json(ours.word_ids), theirs["words"]);
  const auto size = ours.ids.size();
  EXPECT_EQ(ours.type_ids, theirs.value("type_ids", std::vector<std::int32_t>(size, 0)));
  if (theirs.contains("sequences")) {
    EXPECT_EQ(Json(ours.sequence_ids), theirs["sequences"]);
  }
  EXPECT_EQ(ours.attention_mask, std::vector<std::uint8_t>(size, 1));
  for (std::size_t i = 0; i < size; ++i) {
    EXPECT_EQ(ours.special_tokens_mask[i], ours.word_ids[i] == -1 ? 1 : 0);
  }
  const Json overflowing = theirs.value("overflowing", Json::array());
  ASSERT_EQ(ours.overflowing.size(), overflowing.size());
  for (std::size_t i = 0; i < overflowing.size(); ++i) {
    expect_same(ours.overflowing[i], overflowing[i]);
  }
}

EncodeOptions options_of(const Json& golden) {
  EncodeOptions options;
  const auto truncation = golden.value("truncation", "");
  if (truncation == "longest_first") options.truncation = Truncation::longest_first;
  if (truncation == "only_first") options.truncation = Truncation::only_first;
  if (truncation == "only_second") options.truncation = Truncation::only_second;
  options.max_length = golden.value("max_length", 512);
  options.stride = golden.value("stride", 0);
  return options;
}

Encoding encode(const Tokenizer& tokenizer, const Json& golden) {
  const auto options = options_of(golden);
  if (golden.contains("words")) {
    const auto strings = golden["words"].get<std::vector<std::string>>();
    const auto pair_strings = golden.value("pair_words", std::vector<std::string>());
    const std::vector<std::string_view> words(strings.begin(), strings.end());
    const std::vector<std::string_view> pair(pair_strings.begin(), pair_strings.end());
    return golden.contains("pair_words") ? tokenizer.encode_words(words, pair, options)
                                         : tokenizer.encode_words(words, options);
  }
  const auto text = golden["text"].get<std::string>();
  return golden.contains("pair")
             ? tokenizer.encode(text, golden["pair"].get<std::string>(), options)
             : tokenizer.encode(text, options);
}

std::string shown(const Json& golden) { return golden.dump(-1, ' ', true).substr(0, 400); }

TEST(UnigramGoldens, EncodingsAreThoseOfHuggingFace) {
  for (const auto& golden : goldens()) {
    SCOPED_TRACE(shown(golden));
    const auto& tokenizer = tokenizer_of(golden["model"]);
    if (golden["encoding"] == "error") {
      EXPECT_THROW((void)encode(tokenizer, golden), ArgumentError);
    } else {
      expect_same(encode(tokenizer, golden), golden["encoding"]);
    }
  }
}

TEST(UnigramGoldens, PackedSequencesAreTheEncodings) {
  Batch batch;
  Alignment alignment;
  for (const auto& golden : goldens()) {
    if (golden.contains("words") || golden["encoding"] == "error") continue;
    SCOPED_TRACE(shown(golden));
    const auto& tokenizer = tokenizer_of(golden["model"]);
    const auto options = options_of(golden);
    const auto text = golden["text"].get<std::string>();
    batch.clear();
    alignment.clear();
    if (golden.contains("pair")) {
      tokenizer.append_to(batch, alignment, text, golden["pair"].get<std::string>(), options);
    } else {
      tokenizer.append_to(batch, alignment, text, options);
    }
    const auto encoding = encode(tokenizer, golden);
    EXPECT_EQ(batch.input_ids, encoding.ids);
    EXPECT_EQ(batch.token_type_ids, encoding.type_ids);
    EXPECT_EQ(alignment.offsets, encoding.offsets);
    EXPECT_EQ(alignment.word_ids, encoding.word_ids);
    // Without offsets another path is taken.
    Batch ids_only;
    if (golden.contains("pair")) {
      tokenizer.append_to(ids_only, text, golden["pair"].get<std::string>(), options);
    } else {
      tokenizer.append_to(ids_only, text, options);
      if (!golden.contains("truncation")) {
        EXPECT_EQ(tokenizer.count_tokens(text), static_cast<std::int64_t>(encoding.ids.size()));
      }
    }
    EXPECT_EQ(ids_only.input_ids, encoding.ids);
  }
}

TEST(UnigramGoldens, DecodingsAreThoseOfHuggingFace) {
  for (const auto& golden : goldens()) {
    if (!golden.contains("decoded")) continue;
    SCOPED_TRACE(shown(golden));
    const auto ids = golden["encoding"]["ids"].get<std::vector<std::int32_t>>();
    const auto& tokenizer = tokenizer_of(golden["model"]);
    EXPECT_EQ(tokenizer.decode(ids, false), golden["decoded"][0].get<std::string>());
    EXPECT_EQ(tokenizer.decode(ids, true), golden["decoded"][1].get<std::string>());
  }
}

// Of a directory that XLMRobertaTokenizer reads: a SentencePiece model and no tokenizer.json.
TEST(UnigramGoldens, SentencePieceModelsAreReadAsTransformersReadsThem) {
  const auto tokenizer = Tokenizer::from_pretrained(kGoldens / "sentencepiece");
  const testing::TempDirectory folder;
  tokenizer.save_pretrained(folder.path());
  const auto saved = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.mask_token_id(), tokenizer.vocab_size() - 1);
  EXPECT_EQ(tokenizer.pad_token_id(), 1);
  EXPECT_EQ(tokenizer.unk_token_id(), 3);
  EXPECT_EQ(tokenizer.model_max_length(), 512);
  std::ifstream in(kGoldens / "sentencepiece.json");
  for (const auto& golden : Json::parse(in)) {
    SCOPED_TRACE(shown(golden));
    const auto text = golden["text"].get<std::string>();
    expect_same(tokenizer.encode(text), golden["encoding"]);
    expect_same(saved.encode(text), golden["encoding"]);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).ids, false), golden["decoded"]);
  }
}

TEST(UnigramGoldens, SavedTokenizersReadTheSame) {
  for (const auto* model :
       {"split", "metaspace", "first", "whole", "bytes", "plain", "underline", "added"}) {
    const auto& original = tokenizer_of(model);
    const testing::TempDirectory folder;
    original.save_pretrained(folder.path());
    const auto saved = Tokenizer::from_pretrained(folder.path());
    const auto parsed = Tokenizer::from_json(original.to_json(), original.config_to_json());
    EXPECT_EQ(saved.vocab_size(), original.vocab_size());
    EXPECT_EQ(saved.to_json(), original.to_json());
    EXPECT_EQ(parsed.to_json(), original.to_json());
    for (const auto& golden : goldens()) {
      if (golden["model"] != model || golden["encoding"] == "error") continue;
      SCOPED_TRACE(shown(golden));
      expect_same(encode(saved, golden), golden["encoding"]);
      expect_same(encode(parsed, golden), golden["encoding"]);
    }
  }
}

}  // namespace
}  // namespace cloze
