// What tokenizer_config.json says besides how words are cut: what is refused, and which tokenizers give a model types.
// Values are transformers' (tests/conformance/odd_rows.py).
#include "text/files/tokenizer_fields.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/bad_input.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

/// A tokenizer's directory with these fields.
class FieldFiles {
 public:
  explicit FieldFiles(const Json& config, const Json& truncation = Json()) {
    const std::vector<std::string> words{"[PAD]",  "[UNK]", "[CLS]", "[SEP]",
                                         "[MASK]", "a",     "b",     "##c"};
    Tokenizer::from_vocabulary(words).save_pretrained(folder_.path());
    folder_.write("tokenizer_config.json", config.dump());
    if (truncation.is_null()) return;
    auto file = Json::parse(testing::read_file(folder_ / "tokenizer.json"));
    file["truncation"] = truncation;
    folder_.write("tokenizer.json", file.dump());
  }
  [[nodiscard]] Tokenizer load() const { return Tokenizer::from_pretrained(folder_.path()); }
  [[nodiscard]] std::string refusal() const {
    return testing::refusal([&] { static_cast<void>(load()); }, "", testing::kLongestWithPath);
  }

 private:
  testing::TempDirectory folder_;
};

TEST(TokenizerFields, ThatReadTextInAnotherWayAreRefusedByName) {
  const auto says = [](const Json& config) { return FieldFiles(config).refusal(); };
  EXPECT_THAT(says({{"truncation_side", "left"}}),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("\"truncation_side\"")));
  EXPECT_THAT(says({{"split_special_tokens", true}}), HasSubstr("\"split_special_tokens\""));
  EXPECT_THAT(says({{"add_special_tokens", false}}), HasSubstr("\"add_special_tokens\""));
  EXPECT_THAT(says({{"init_inputs", {"vocab.txt"}}}), HasSubstr("\"init_inputs\""));
  EXPECT_THAT(says({{"model_input_names", "input_ids"}}), HasSubstr("model_input_names"));
  EXPECT_EQ(says({{"truncation_side", "right"},
                  {"split_special_tokens", false},
                  {"padding_side", "left"},
                  {"init_inputs", Json::array()},
                  {"do_basic_tokenize", false},
                  {"colour", "red"}}),
            "");
}

TEST(TokenizerFields, TextsThatTokenizerJsonCutsAtTheirBeginning) {
  const Json left{{"direction", "Left"}, {"max_length", 8}};
  const Json right{{"direction", "Right"}, {"max_length", 8}};
  EXPECT_THAT(FieldFiles(Json::object(), left).refusal(), HasSubstr("direction Left"));
  EXPECT_EQ(FieldFiles({{"truncation_side", "right"}}, left).refusal(), "");
  EXPECT_EQ(FieldFiles(Json::object(), right).refusal(), "");
}

TEST(TokenizerFields, UnknownOnesAreNamed) {
  EXPECT_THAT(text::unknown_tokenizer_fields({{"do_lower_case", true}, {"name_or_path", "x"}}),
              IsEmpty());
  EXPECT_THAT(text::unknown_tokenizer_fields({{"colour", "red"}, {"unk_token", "x"}}),
              ElementsAre("colour"));
}

TEST(TokenizerFields, SpecialTokensOfAModelsOwn) {
  const auto found = [](const Json& config) {
    return FieldFiles(config).load().encode("a B ##c", {.add_special_tokens = false}).tokens;
  };
  const auto plain = found(Json::object());
  EXPECT_THAT(plain, ElementsAre("a", "b", "[UNK]", "[UNK]", "[UNK]"));
  const std::vector<std::string> special{"a", "b", "##c"};
  EXPECT_EQ(found({{"boi_token", "##c"}}), special);
  EXPECT_EQ(found({{"extra_special_tokens", {{"boi_token", "##c"}}}}), special);
  EXPECT_EQ(found({{"extra_special_tokens", {"##c"}}}), special);
  EXPECT_EQ(found({{"additional_special_tokens", {"##c"}}}), special);
  EXPECT_EQ(found({{"additional_special_tokens", {"##c"}},
                   {"extra_special_tokens", {{"boi_token", "b"}}}}),
            special);
  // A list of extra ones stands for the additional ones.
  EXPECT_EQ(found({{"additional_special_tokens", {"##c"}}, {"extra_special_tokens", {"b"}}}),
            plain);
}

TEST(TokenizerFields, WhichTokenizersGiveTypes) {
  const auto gives = [](const Json& config) {
    return FieldFiles(config).load().gives_token_types();
  };
  EXPECT_TRUE(gives(Json::object()));
  EXPECT_TRUE(gives({{"tokenizer_class", "ElectraTokenizer"}}));
  EXPECT_TRUE(gives({{"tokenizer_class", "PreTrainedTokenizerFast"}}));
  EXPECT_FALSE(gives({{"tokenizer_class", "TokenizersBackend"}}));
  EXPECT_FALSE(gives({{"tokenizer_class", "DistilBertTokenizerFast"}}));
  EXPECT_TRUE(gives({{"tokenizer_class", "DistilBertTokenizer"},
                     {"model_input_names", {"input_ids", "token_type_ids"}}}));
  EXPECT_FALSE(gives({{"model_input_names", {"input_ids", "attention_mask"}}}));
}

TEST(TokenizerFields, SavedTokenizersGiveWhatTheyGave) {
  const testing::TempDirectory folder;
  for (const Json& config :
       {Json{{"tokenizer_class", "DistilBertTokenizer"}},
        Json{{"model_input_names", {"input_ids", "attention_mask"}}}, Json::object()}) {
    const auto tokenizer = FieldFiles(config).load();
    tokenizer.save_pretrained(folder.path());
    const auto again = Tokenizer::from_pretrained(folder.path());
    EXPECT_EQ(again.gives_token_types(), tokenizer.gives_token_types()) << config;
    // An Encoding says which text a token is of, whoever asks.
    EXPECT_EQ(again.encode("a", "b").type_ids, tokenizer.encode("a", "b").type_ids) << config;
  }
}

}  // namespace
}  // namespace cloze
