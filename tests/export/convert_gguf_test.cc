#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "formats/gguf_bytes.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufBytes;
using testing::golden_directory;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDirectory;

namespace fs = std::filesystem;

/// llama.cpp's name for a tensor of transformers, without the model's prefix.
std::string theirs(std::string name) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    const auto at = name.find(from);
    if (at == std::string::npos) return false;
    name.replace(at, from.size(), to);
    return true;
  };
  replace("bert.", "");
  for (const auto& [from, to] :
       {std::pair{"embeddings.word_embeddings", "token_embd"},
        std::pair{"embeddings.position_embeddings", "position_embd"},
        std::pair{"embeddings.token_type_embeddings", "token_types"},
        std::pair{"embeddings.LayerNorm", "token_embd_norm"}, std::pair{"pooler.dense", "cls"},
        std::pair{"classifier", "cls.output"}}) {
    if (replace(from, to)) return name;
  }
  replace("encoder.layer", "blk");
  for (const auto& [from, to] :
       {std::pair{"attention.self.query", "attn_q"}, std::pair{"attention.self.key", "attn_k"},
        std::pair{"attention.self.value", "attn_v"},
        std::pair{"attention.output.dense", "attn_output"},
        std::pair{"attention.output.LayerNorm", "attn_output_norm"},
        std::pair{"intermediate.dense", "ffn_up"}, std::pair{"output.dense", "ffn_down"},
        std::pair{"output.LayerNorm", "layer_output_norm"}}) {
    if (replace(from, to)) break;
  }
  return name;
}

/// What is changed about the file that a converter would write.
struct Changes {
  std::string architecture = "bert", tokenizer = "bert";
  std::uint32_t pooling = 1;
  bool causal = false, join_qkv = false;
  std::vector<std::string> without{};
};

std::string gguf_of(const fs::path& directory, const Changes& changes = {}) {
  const auto config = BertConfig::from_pretrained(directory);
  const auto tokenizer = Tokenizer::from_pretrained(directory);
  const auto count = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  std::vector<std::string> tokens;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    std::string token(tokenizer.id_to_token(id));
    const bool special = token.starts_with('[') && token.ends_with(']');
    if (token.starts_with("##")) {
      token = token.substr(2);
    } else if (!special) {
      token = "\u2581" + token;
    }
    tokens.push_back(token);
  }
  GgufBytes file;
  file.string("general.architecture", changes.architecture)
      .number("bert.embedding_length", count(config.hidden_size))
      .number("bert.feed_forward_length", count(config.intermediate_size))
      .number("bert.block_count", count(config.num_hidden_layers))
      .number("bert.attention.head_count", count(config.num_attention_heads))
      .number("bert.context_length", count(config.max_position_embeddings))
      .real("bert.attention.layer_norm_epsilon", static_cast<float>(config.layer_norm_eps))
      .flag("bert.attention.causal", changes.causal)
      .number("bert.pooling_type", changes.pooling)
      .string("tokenizer.ggml.model", changes.tokenizer)
      .strings("tokenizer.ggml.tokens", tokens)
      .number("tokenizer.ggml.seperator_token_id", count(tokenizer.sep_token_id()))
      .number("tokenizer.ggml.cls_token_id", count(tokenizer.cls_token_id()));
  const auto checkpoint = Checkpoint::open(directory);
  for (const auto& name : checkpoint.names()) {
    const auto tensor = checkpoint.tensor(name);
    const auto own = theirs(name);
    const auto& without = changes.without;
    if (std::find(without.begin(), without.end(), own) != without.end()) continue;
    if (changes.join_qkv && own.find("attn_q.") != std::string::npos) {
      std::string bytes;
      auto shape = tensor.shape();
      shape.front() *= 3;
      for (const auto* part : {"query", "key", "value"}) {
        auto other = name;
        other.replace(other.find("query"), 5, part);
        const auto values = checkpoint.tensor(other);
        bytes.append(reinterpret_cast<const char*>(values.bytes().data()), values.bytes().size());
      }
      auto joined = own;
      joined.replace(joined.find("attn_q"), 6, "attn_qkv");
      file.tensor(joined, 0, shape, bytes);
    } else if (!changes.join_qkv || (own.find("attn_k.") == std::string::npos &&
                                     own.find("attn_v.") == std::string::npos)) {
      file.tensor(own, tensor);
    }
  }
  return file.bytes();
}

void expect_same_values(const fs::path& a, const fs::path& b) {
  const auto first = Checkpoint::open(a), second = Checkpoint::open(b);
  EXPECT_EQ(first.names(), second.names());
  for (const auto& name : second.names()) {
    if (!first.contains(name)) continue;
    const auto x = first.tensor(name), y = second.tensor(name);
    EXPECT_EQ(x.shape(), y.shape()) << name;
    EXPECT_TRUE(std::equal(x.bytes().begin(), x.bytes().end(), y.bytes().begin(), y.bytes().end()))
        << name;
  }
}

TEST(ConvertGguf, AnEncoderIsTheOneThatItWasMadeFrom) {
  const auto golden = golden_directory("bare_no_pooler");
  for (const bool join_qkv : {false, true}) {
    const TempDirectory directory;
    const auto file = directory.write("model.gguf", gguf_of(golden, {.join_qkv = join_qkv}));
    const auto converted = convert_model(file, directory / "out");
    EXPECT_EQ(converted.architecture, "BertModel");
    EXPECT_TRUE(converted.tokenizer);
    EXPECT_THAT(converted.left_out, IsEmpty());
    expect_same_values(directory / "out", golden);
    const auto before = BertConfig::from_pretrained(golden),
               after = BertConfig::from_pretrained(directory / "out");
    EXPECT_EQ(after.vocab_size, before.vocab_size);
    EXPECT_EQ(after.max_position_embeddings, before.max_position_embeddings);
    EXPECT_EQ(after.num_attention_heads, before.num_attention_heads);
    EXPECT_FLOAT_EQ(static_cast<float>(after.layer_norm_eps),
                    static_cast<float>(before.layer_norm_eps));
    const auto old_tokenizer = Tokenizer::from_pretrained(golden),
               new_tokenizer = Tokenizer::from_pretrained(directory / "out");
    for (std::int32_t id = 0; id < old_tokenizer.vocab_size(); ++id) {
      EXPECT_EQ(new_tokenizer.id_to_token(id), old_tokenizer.id_to_token(id));
    }
    const auto settings = sentence_settings(directory / "out");
    ASSERT_TRUE(settings);
    EXPECT_THAT(settings->poolings, ElementsAre(Pooling::mean));
    EXPECT_TRUE(settings->normalizes());
    EXPECT_EQ(settings->max_seq_length, before.max_position_embeddings);
  }
}

TEST(ConvertGguf, PoolingsAndClassifiers) {
  const TempDirectory directory;
  const auto convert = [&](const std::string& name, const Changes& changes) {
    fs::remove_all(directory / "out");
    return convert_model(directory.write("m.gguf", gguf_of(golden_directory(name), changes)),
                         directory / "out");
  };
  (void)convert("bare_no_pooler", {.pooling = 2});
  EXPECT_THAT(sentence_settings(directory / "out")->poolings, ElementsAre(Pooling::cls));
  (void)convert("bare_no_pooler", {.pooling = 3});
  EXPECT_THAT(sentence_settings(directory / "out")->poolings, ElementsAre(Pooling::last_token));
  (void)convert("bare_no_pooler", {.pooling = 0});
  EXPECT_FALSE(sentence_settings(directory / "out"));
  const auto ranker = convert("sequence_3_labels", {.pooling = 4});
  EXPECT_EQ(ranker.architecture, "BertForSequenceClassification");
  expect_same_values(directory / "out", golden_directory("sequence_3_labels"));
}

TEST(ConvertGguf, TypesAndCase) {
  const TempDirectory directory;
  const auto file = directory.write("m.gguf", gguf_of(golden_directory("bare_no_pooler")));
  (void)convert_model(file, directory / "half", {.dtype = DType::f16});
  const auto half = Checkpoint::open(directory / "half");
  EXPECT_EQ(half.info("embeddings.word_embeddings.weight").dtype, DType::f16);
  for (const bool lowercase : {true, false}) {
    const auto out = directory / (lowercase ? "lower" : "cased");
    (void)convert_model(file, out, {.lowercase = lowercase});
    EXPECT_EQ(Tokenizer::from_pretrained(out).do_lower_case(), lowercase);
  }
}

TEST(ConvertGguf, WhatIsNoBertIsRefusedByName) {
  const TempDirectory directory;
  const auto says = [&](const std::string& name, const Changes& changes) -> std::string {
    try {
      (void)convert_model(directory.write("m.gguf", gguf_of(golden_directory(name), changes)),
                          directory / "out");
    } catch (const Error& error) {
      EXPECT_FALSE(fs::exists(directory / "out"));
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(says("bare_no_pooler", {.architecture = "nomic-bert"}),
              AllOf(HasSubstr("m.gguf"), HasSubstr("\"nomic-bert\"")));
  EXPECT_THAT(says("bare_no_pooler", {.tokenizer = "gpt2"}), HasSubstr("\"gpt2\""));
  EXPECT_THAT(says("bare_no_pooler", {.tokenizer = "t5"}), HasSubstr("\"tokenizer.ggml.scores\""));
  EXPECT_THAT(says("bare_no_pooler", {.causal = true}), HasSubstr("bert.attention.causal"));
  EXPECT_THAT(says("bare_no_pooler", {.pooling = 9}), HasSubstr("pooling_type"));
  EXPECT_THAT(says("sequence_3_labels",
                   {.pooling = 4, .without = {"cls.output.weight", "cls.output.bias"}}),
              HasSubstr("cls.output.weight"));
  EXPECT_THAT(says("bare_no_pooler", {.without = {"token_types.weight"}}),
              HasSubstr("token_types.weight"));
  EXPECT_THAT(says("bare_no_pooler", {.without = {"blk.0.ffn_up.bias"}}),
              HasSubstr("\"blk.0.ffn_up.bias\""));
}

}  // namespace
}  // namespace cloze
