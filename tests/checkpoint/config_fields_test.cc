#include "checkpoint/config_fields.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/config.h"
#include "cloze/error.h"
#include "core/io/known_fields.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What reading a config with these further fields says; empty where it is read.
std::string refusal(const nlohmann::json& fields) {
  nlohmann::json config{{"model_type", "bert"}, {"hidden_size", 768}};
  config.update(fields);
  try {
    static_cast<void>(BertConfig::from_json(config.dump(), "there"));
    return "";
  } catch (const ModelError& error) {
    return error.what();
  }
}

TEST(ConfigFields, AnotherModelUnderBertsNameIsRefused) {
  const std::vector<std::pair<nlohmann::json, const char*>> cases{
      {{{"alibi_starting_size", 512}}, "alibi_starting_size"},
      {{{"rotary_emb_base", 10000}}, "rotary_emb_base"},
      {{{"feed_forward_type", "geglu"}}, "feed_forward_type"},
      {{{"embedding_size", 128}}, "embedding_size"},
      {{{"attention_window", {64, 64}}}, "attention_window"},
      {{{"auto_map", {{"AutoModel", "bert_layers.BertModel"}}}}, "bert_layers.BertModel"},
      {{{"auto_map", {{"AutoTokenizer", {"mine.Tokenizer", nullptr}}}}}, "mine.Tokenizer"},
      {{{"auto_map", "mine.BertModel"}}, "mine.BertModel"}};
  for (const auto& [fields, part] : cases) {
    EXPECT_THAT(refusal(fields), AllOf(HasSubstr("there"), HasSubstr(part))) << fields.dump();
  }
}

TEST(ConfigFields, ValuesThatChangeNothingAreRead) {
  for (const nlohmann::json& fields : std::vector<nlohmann::json>{
           {{"alibi_starting_size", nullptr}},
           {{"embedding_size", 768}},
           {{"feed_forward_type", "original"}},
           {{"auto_map", nullptr}},
           {{"auto_map", {{"AutoModel", "transformers.models.bert.modeling_bert.BertModel"}}}}}) {
    EXPECT_EQ(refusal(fields), "") << fields.dump();
  }
}

TEST(ConfigFields, UnknownOnesAreNamed) {
  const auto unknown = [](const char* json) {
    return internal::unknown_config_fields(BertConfig::from_json(json, "there"));
  };
  EXPECT_THAT(unknown(R"({"model_type": "bert", "use_cache": true, "gradient_checkpointing": false,
                          "transformers_version": "4.6.0", "_name_or_path": "x", "directionality":
                          "bidi", "torch_dtype": "float32", "bos_token_id": null})"),
              IsEmpty());
  EXPECT_THAT(unknown(R"({"model_type": "bert", "colour": 1, "shape": 2})"),
              ElementsAre("colour", "shape"));
  EXPECT_EQ(warning_of_unknown({"a"}, "F"), "F: Cloze does not know a, which is ignored");
  EXPECT_EQ(warning_of_unknown({"a", "b"}, "F"), "F: Cloze does not know a, b, which are ignored");
}

}  // namespace
}  // namespace cloze
