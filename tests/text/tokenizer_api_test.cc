// Tokenizers from a vocabulary, from texts in memory, and by a name.
#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempDirectory;

const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the",
                                               "dog",   "##s",   "cafe",  "café",  "Dog",    "漢"};
  return tokens;
}

std::vector<std::int32_t> ids(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, {.add_special_tokens = false}).ids;
}

template <class Expected, class Call>
std::string api_complaint(const Call& call) {
  try {
    static_cast<void>(call());
  } catch (const Expected& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(TokenizerFromVocabulary, ReadsTextAsTheOptionsSay) {
  const auto uncased = Tokenizer::from_vocabulary(vocabulary());
  EXPECT_TRUE(uncased.do_lower_case());
  EXPECT_EQ(uncased.vocab_size(), 12);
  EXPECT_THAT(ids(uncased, "The Dogs café 漢漢"), ElementsAre(5, 6, 7, 8, 11, 11));
  EXPECT_THAT(uncased.encode("dog", "the").ids, ElementsAre(2, 6, 3, 5, 3));
  EXPECT_EQ(uncased.model_max_length(), std::nullopt);

  const auto cased = Tokenizer::from_vocabulary(
      vocabulary(), {.lowercase = false, .tokenize_chinese_chars = false, .model_max_length = 128});
  EXPECT_THAT(ids(cased, "Dog dog café 漢漢"), ElementsAre(10, 6, 9, 1));
  EXPECT_EQ(cased.model_max_length(), 128);

  const auto accents = Tokenizer::from_vocabulary(vocabulary(), {.strip_accents = false});
  EXPECT_THAT(ids(accents, "CAFÉ"), ElementsAre(9));
}

TEST(TokenizerFromVocabulary, TakesOtherSpecialTokens) {
  const std::vector<std::string> tokens{"<unk>", "<s>", "</s>", "dog"};
  const auto tokenizer = Tokenizer::from_vocabulary(
      tokens, {.special_tokens = {.unk = "<unk>", .sep = "</s>", .cls = "<s>"}});
  EXPECT_THAT(tokenizer.encode("dog cat").ids, ElementsAre(1, 3, 0, 2));
  EXPECT_EQ(tokenizer.mask_token_id(), std::nullopt);
  EXPECT_THROW(static_cast<void>(tokenizer.pad_token_id()), ModelError);
}

TEST(TokenizerFromVocabulary, FollowsGooglesRulesInItsMode) {
  const auto google = Tokenizer::from_vocabulary(vocabulary(), {.mode = TokenizerMode::google});
  EXPECT_THAT(ids(google, "[MASK] the"), ::testing::Not(ElementsAre(4, 5)));
  EXPECT_THAT(ids(Tokenizer::from_vocabulary(vocabulary()), "[MASK] the"), ElementsAre(4, 5));
}

TEST(TokenizerFromVocabulary, SaysWhatIsWrong) {
  const auto make = [](std::vector<std::string> tokens, const TokenizerOptions& options = {}) {
    return [tokens = std::move(tokens), options] {
      return Tokenizer::from_vocabulary(tokens, options);
    };
  };
  EXPECT_THAT(api_complaint<ArgumentError>(make({"a", "b", "a"})),
              HasSubstr("token 2 of the vocabulary, \"a\", is there twice: first as 0"));
  EXPECT_THAT(api_complaint<ArgumentError>(make({"a", "\xFF"})), HasSubstr("token 1"));
  EXPECT_THAT(api_complaint<ArgumentError>(make(vocabulary(), {.model_max_length = 0})),
              HasSubstr("model_max_length"));
  EXPECT_THAT(api_complaint<FormatError>(make({"[UNK]", "[CLS]"})), HasSubstr("no \"[SEP]\""));
  EXPECT_THAT(api_complaint<FormatError>(make({})), HasSubstr("no \"[UNK]\""));
  EXPECT_THAT(api_complaint<FormatError>(make(vocabulary(), {.special_tokens = {.cls = "<s>"}})),
              HasSubstr("no \"<s>\""));
}

TEST(TokenizerFromVocabulary, ReadsAFileOfTokens) {
  const TempDirectory directory;
  std::string lines;
  for (const auto& token : vocabulary()) lines += token + "\r\n";
  const auto file = directory.write("words.txt", lines);
  const auto tokenizer = Tokenizer::from_vocabulary_file(file, {.lowercase = false});
  EXPECT_THAT(ids(tokenizer, "Dog dogs"), ElementsAre(10, 6, 7));
  EXPECT_THROW(static_cast<void>(Tokenizer::from_vocabulary_file(directory / "missing")), IoError);
}

// Ids as transformers 5.24 reads them: by line, the last line of a token that is there twice.
TEST(TokenizerFromVocabulary, BlankLinesAndTokensThatAreThereTwice) {
  const TempDirectory directory;
  const auto read = [&](const std::string& text) {
    return Tokenizer::from_vocabulary_file(directory.write("words.txt", text));
  };
  const std::string first = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  const auto blank_end = read(first + "dog\n##s\n\n\n");
  EXPECT_EQ(blank_end.vocab_size(), 7);
  EXPECT_THAT(ids(blank_end, "dogs"), ElementsAre(5, 6));

  const auto blank_middle = read(first + "\n\u3000 \ndog\n##s\n");
  EXPECT_EQ(blank_middle.vocab_size(), 9);
  EXPECT_THAT(ids(blank_middle, "dogs"), ElementsAre(7, 8));
  EXPECT_EQ(blank_middle.id_to_token(6), "");
  EXPECT_EQ(blank_middle.decode(std::vector<std::int32_t>{7, 5, 8, 6, 7}), "dogs dog");
  EXPECT_EQ(blank_middle.token_to_id(""), std::nullopt);
  EXPECT_THROW(static_cast<void>(blank_middle.id_to_token(9)), ArgumentError);
  blank_middle.save_pretrained(directory / "saved");
  EXPECT_THAT(ids(Tokenizer::from_pretrained(directory / "saved"), "dogs"), ElementsAre(7, 8));
  EXPECT_THAT(ids(read(read_file(directory / "saved" / "vocab.txt")), "dogs"), ElementsAre(7, 8));

  const auto twice = read(first + "dog\n##s\ncat\ndog\n");
  EXPECT_THAT(ids(twice, "dogs cat"), ElementsAre(8, 6, 7));
  EXPECT_EQ(twice.id_to_token(5), "");
}

TEST(TokenizerJson, IsTheSameTokenizerAgain) {
  const auto before = Tokenizer::from_vocabulary(
      vocabulary(), {.lowercase = false, .strip_accents = true, .model_max_length = 99});
  const auto after = Tokenizer::from_json(before.to_json(), before.config_to_json());
  EXPECT_EQ(after.to_json(), before.to_json());
  EXPECT_EQ(after.config_to_json(), before.config_to_json());
  EXPECT_EQ(after.model_max_length(), 99);
  for (const auto* text : {"The Dogs café 漢", "[MASK] dog", ""}) {
    EXPECT_EQ(after.encode(text).ids, before.encode(text).ids) << text;
  }
  // Without its companion the file says all but the length.
  const auto alone = Tokenizer::from_json(before.to_json());
  EXPECT_EQ(alone.encode("The Dogs café").ids, before.encode("The Dogs café").ids);
  EXPECT_EQ(alone.model_max_length(), std::nullopt);
}

TEST(TokenizerJson, IsWhatIsSaved) {
  const TempDirectory directory;
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary());
  tokenizer.save_pretrained(directory.path());
  EXPECT_EQ(read_file(directory / "tokenizer.json"), tokenizer.to_json());
  EXPECT_EQ(read_file(directory / "tokenizer_config.json"), tokenizer.config_to_json());
  EXPECT_EQ(Tokenizer::from_pretrained(directory.path()).to_json(), tokenizer.to_json());
}

TEST(TokenizerJson, SaysWhatIsWrong) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary());
  EXPECT_THAT(api_complaint<FormatError>([] { return Tokenizer::from_json("{"); }),
              HasSubstr("tokenizer.json"));
  EXPECT_THAT(
      api_complaint<FormatError>([&] { return Tokenizer::from_json(tokenizer.to_json(), "["); }),
      HasSubstr("tokenizer_config.json is not valid JSON"));
  EXPECT_THAT(
      api_complaint<FormatError>([] { return Tokenizer::from_json(R"({"a": 1, "a": 2})"); }),
      HasSubstr("the key \"a\" occurs twice"));
  // A value nested so deep that showing it would exhaust the stack.
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_THAT(api_complaint<FormatError>([&] {
                return Tokenizer::from_json(tokenizer.to_json(),
                                            "{\"do_lower_case\": " + deep + "}");
              }),
              HasSubstr("nested more than"));
  EXPECT_THAT(api_complaint<FormatError>(
                  [&] { return Tokenizer::from_json("{\"normalizer\": " + deep + "}"); }),
              HasSubstr("nested more than"));
  const auto wrong = api_complaint<FormatError>([&] {
    return Tokenizer::from_json(tokenizer.to_json(),
                                "{\"do_lower_case\": \"" + std::string(1'000'000, 'x') + "\"}");
  });
  EXPECT_THAT(wrong, HasSubstr("\"do_lower_case\""));
  EXPECT_LT(wrong.size(), 300U);
}

TEST(TokenizerFromPretrained, TakesANameInTheModelCache) {
  const TempDirectory cache;
  Tokenizer::from_vocabulary(vocabulary()).save_pretrained(cache / "my-model");
  const auto* before = std::getenv("CLOZE_CACHE");  // NOLINT(concurrency-mt-unsafe)
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("CLOZE_CACHE", cache.path().c_str(), 1);
  const auto tokenizer = Tokenizer::from_pretrained("owner/my-model");
  EXPECT_THAT(ids(tokenizer, "dog"), ElementsAre(6));
  if (before == nullptr) {
    ::unsetenv("CLOZE_CACHE");
  } else {
    ::setenv("CLOZE_CACHE", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace cloze
