// The tokenizer against what Hugging Face's makes of the same texts (make_goldens.py).
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
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

const fs::path kGoldens = fs::path(kSourceDir) / "tests/text/goldens";

Json read(const std::string& name) {
  std::ifstream in(kGoldens / name);
  return Json::parse(in);
}

TEST(TokenizerGoldens, EncodingsAreThoseOfHuggingFace) {
  std::map<std::string, Tokenizer> tokenizers;
  for (const auto& golden : read("encodings.json")) {
    SCOPED_TRACE(golden.dump(-1, ' ', true).substr(0, 300));
    const auto model = golden["model"].get<std::string>();
    if (!tokenizers.contains(model)) {
      tokenizers.emplace(model, Tokenizer::from_pretrained(kGoldens / model));
    }
    const auto& tokenizer = tokenizers.at(model);
    if (golden["encoding"] == "error") {
      EXPECT_THROW((void)encode(tokenizer, golden), ArgumentError);
    } else {
      expect_same(encode(tokenizer, golden), golden["encoding"]);
    }
  }
}

// What is packed is what is encoded, for every golden that is no window of another.
TEST(TokenizerGoldens, PackedSequencesAreTheEncodings) {
  std::map<std::string, Tokenizer> tokenizers;
  Batch batch;
  Alignment alignment;
  for (const auto& golden : read("encodings.json")) {
    if (golden.contains("words")) continue;
    SCOPED_TRACE(golden.dump(-1, ' ', true).substr(0, 300));
    const auto model = golden["model"].get<std::string>();
    if (!tokenizers.contains(model)) {
      tokenizers.emplace(model, Tokenizer::from_pretrained(kGoldens / model));
    }
    const auto& tokenizer = tokenizers.at(model);
    const auto options = options_of(golden);
    const auto text = golden["text"].get<std::string>();
    const auto before = batch.input_ids.size();
    const auto append = [&] {
      return golden.contains("pair")
                 ? tokenizer.append_to(batch, alignment, text, golden["pair"].get<std::string>(),
                                       options)
                 : tokenizer.append_to(batch, alignment, text, options);
    };
    if (golden["encoding"] == "error" && options.stride == 0) {
      EXPECT_THROW(append(), ArgumentError);
      EXPECT_EQ(batch.input_ids.size(), before);
      EXPECT_EQ(batch.token_type_ids.size(), before);
      EXPECT_EQ(alignment.offsets.size(), before);
      continue;
    }
    if (golden["encoding"] == "error") continue;
    const auto encoding = encode(tokenizer, golden);
    ASSERT_EQ(append(), static_cast<std::int32_t>(encoding.ids.size()));
    const auto tail = [before](const auto& values) {
      return std::vector(values.begin() + static_cast<std::ptrdiff_t>(before), values.end());
    };
    EXPECT_EQ(tail(batch.input_ids), encoding.ids);
    EXPECT_EQ(tail(batch.token_type_ids), encoding.type_ids);
    EXPECT_EQ(tail(alignment.offsets), encoding.offsets);
    EXPECT_EQ(tail(alignment.word_ids), encoding.word_ids);
    EXPECT_EQ(batch.cu_seqlens.back(), static_cast<std::int32_t>(batch.input_ids.size()));
    for (std::size_t i = before; i < batch.input_ids.size(); ++i) {
      EXPECT_EQ(batch.position_ids[i], static_cast<std::int32_t>(i - before));
    }
  }
}

TEST(TokenizerGoldens, DecodingsAreThoseOfTransformers) {
  const auto tokenizer = Tokenizer::from_pretrained(kGoldens / "vocab");
  for (const auto& golden : read("decodings.json")) {
    SCOPED_TRACE(golden.dump());
    EXPECT_EQ(tokenizer.decode(golden["ids"].get<std::vector<std::int32_t>>(), golden["skip"],
                               golden["clean_up"]),
              golden["text"].get<std::string>());
  }
}

TEST(TokenizerGoldens, VocabTxtIsTheSameTokenizerAsTokenizerJson) {
  const auto from_vocab = Tokenizer::from_pretrained(kGoldens / "vocab");
  const auto from_json = Tokenizer::from_pretrained(kGoldens / "uncased");
  EXPECT_EQ(from_vocab.vocab_size(), from_json.vocab_size());
  EXPECT_EQ(from_vocab.model_max_length(), 512);
  EXPECT_EQ(from_json.model_max_length(), std::nullopt);
  for (const auto& golden : read("encodings.json")) {
    if (golden["model"] != "uncased" || golden["encoding"] == "error") continue;
    EXPECT_EQ(encode(from_vocab, golden).ids, encode(from_json, golden).ids);
  }
}

TEST(TokenizerGoldens, SavedTokenizersReadTheSame) {
  for (const auto* model : {"uncased", "cased", "raw", "accents", "nocjk", "added", "vocab"}) {
    const auto original = Tokenizer::from_pretrained(kGoldens / model);
    const testing::TempDirectory folder;
    original.save_pretrained(folder.path());
    for (const bool json : {true, false}) {
      // clean_text and added tokens with ids of their own are only in tokenizer.json
      if (!json) {
        fs::remove(folder / "tokenizer.json");
        if (std::string(model) == "raw") break;
      }
      const auto saved = Tokenizer::from_pretrained(folder.path());
      EXPECT_EQ(saved.vocab_size(), original.vocab_size());
      EXPECT_EQ(saved.model_max_length(), original.model_max_length());
      for (const auto& golden : read("encodings.json")) {
        if (golden["model"] != model || golden["encoding"] == "error") continue;
        SCOPED_TRACE(golden.dump(-1, ' ', true).substr(0, 300));
        expect_same(encode(saved, golden), golden["encoding"]);
      }
    }
  }
}

}  // namespace
}  // namespace cloze
