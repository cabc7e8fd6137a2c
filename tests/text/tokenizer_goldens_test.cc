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

namespace cloze {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kGoldens = fs::path(CLOZE_SOURCE_DIR) / "tests/text/goldens";

Json read(const std::string& name) {
  std::ifstream in(kGoldens / name);
  return Json::parse(in);
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
  std::vector<std::int32_t> types(ours.ids.size(), 0);
  if (theirs.contains("type_ids")) types = theirs["type_ids"].get<std::vector<std::int32_t>>();
  EXPECT_EQ(ours.type_ids, types);
  EXPECT_EQ(ours.attention_mask, std::vector<std::uint8_t>(ours.ids.size(), 1));
  for (std::size_t i = 0; i < ours.ids.size(); ++i) {
    const bool special = ours.word_ids[i] == -1;
    EXPECT_EQ(ours.special_tokens_mask[i], special ? 1 : 0);
    EXPECT_EQ(ours.sequence_ids[i], special ? -1 : ours.type_ids[i]);
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
