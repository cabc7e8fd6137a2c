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
#include "places.h"
#include "text/golden_encoding.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::encode;
using testing::expect_same;
using testing::options_of;

const fs::path kUnigramGoldens = fs::path(kSourceDir) / "tests/text/unigram_goldens";

const Json& goldens() {
  static const Json all = [] {
    std::ifstream in(kUnigramGoldens / "encodings.json");
    return Json::parse(in);
  }();
  return all;
}

const Tokenizer& tokenizer_of(const std::string& model) {
  static std::map<std::string, Tokenizer> tokenizers;
  if (!tokenizers.contains(model)) {
    tokenizers.emplace(model, Tokenizer::from_pretrained(kUnigramGoldens / model));
  }
  return tokenizers.at(model);
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
  const auto tokenizer = Tokenizer::from_pretrained(kUnigramGoldens / "sentencepiece");
  const testing::TempDirectory folder;
  tokenizer.save_pretrained(folder.path());
  const auto saved = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.mask_token_id(), tokenizer.vocab_size() - 1);
  EXPECT_EQ(tokenizer.pad_token_id(), 1);
  EXPECT_EQ(tokenizer.unk_token_id(), 3);
  EXPECT_EQ(tokenizer.model_max_length(), 512);
  std::ifstream in(kUnigramGoldens / "sentencepiece.json");
  for (const auto& golden : Json::parse(in)) {
    SCOPED_TRACE(shown(golden));
    const auto text = golden["text"].get<std::string>();
    expect_same(tokenizer.encode(text), golden["encoding"]);
    expect_same(saved.encode(text), golden["encoding"]);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).ids, false), golden["decoded"]);
  }
}

TEST(UnigramGoldens, SavedTokenizersReadTheSame) {
  for (const auto* model : {"split", "metaspace", "first", "whole", "bytes", "plain", "underline",
                            "added", "ties", "ties-whole"}) {
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
