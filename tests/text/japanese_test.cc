// BertJapaneseTokenizer. Values are transformers'; tests/conformance/japanese.py compares the rest.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/bad_input.h"
#include "core/environment_setting.h"
#include "core/io/files.h"
#include "core/temp_directory.h"
#include "text/japanese/chars.h"
#include "text/japanese/dictionary.h"
#include "text/japanese/mecab.h"
#include "text/japanese/mecab_library.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

const std::string kJapaneseVocab =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n東京\n都\nに\n##京\n東\n行く\nhello\n##h\ntm\nTM\n##"
    "tm\na\nb\n"
    "##b\n[\n]\nガ\nガス\nkg\n...\n京\n##a\nHello\n";

const Json kIpadic{{"tokenizer_class", "BertJapaneseTokenizer"},
                   {"word_tokenizer_type", "mecab"},
                   {"mecab_kwargs", {{"mecab_dic", "ipadic"}}}};
const Json kBasic{{"tokenizer_class", "BertJapaneseTokenizer"}};

Json with(Json json, const Json& more) {
  json.update(more);
  return json;
}

// A tokenizer's files.
class JapaneseFiles {
 public:
  explicit JapaneseFiles(const Json& config, const std::string& vocab = kJapaneseVocab) {
    directory_.write("vocab.txt", vocab);
    directory_.write("tokenizer_config.json", config.dump());
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  [[nodiscard]] Tokenizer load(const fs::path& dictionary = {}) const {
    return Tokenizer::from_pretrained(path(), TokenizerSource{.dictionary = dictionary});
  }
  [[nodiscard]] std::string refusal(const fs::path& dictionary = {}) const {
    return testing::refusal([&] { static_cast<void>(load(dictionary)); }, "",
                            testing::kLongestWithPath);
  }

 private:
  testing::TempDirectory directory_;
};

std::vector<std::string> tokens(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, {.add_special_tokens = false}).tokens;
}

// Whether MeCab and its ipadic are installed.
std::string mecab_missing() {
  try {
    static_cast<void>(JapaneseFiles(kIpadic).load());
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class MecabTokenizer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = mecab_missing(); !missing.empty()) GTEST_SKIP() << missing;
  }
};

TEST_F(MecabTokenizer, CutsWordsAndPieces) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  const auto encoding = tokenizer.encode("東京都に行く [MASK] Hello™ a ... b");
  EXPECT_THAT(encoding.tokens, ElementsAre("[CLS]", "東京", "都", "に", "行く", "[MASK]", "[UNK]",
                                           "a", "...", "b", "[SEP]"));
  EXPECT_THAT(encoding.ids, ElementsAre(2, 5, 6, 7, 10, 4, 1, 16, 24, 17, 3));
  EXPECT_THAT(encoding.offsets[1], (Span{0, 2}));
  EXPECT_THAT(encoding.offsets[6], (Span{14, 20}));
  EXPECT_THAT(encoding.word_ids, ElementsAre(-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, -1));
  EXPECT_EQ(tokenizer.japanese()->word_tokenizer, "mecab");
  EXPECT_EQ(tokenizer.japanese()->decided_by, "mecab_dic");
}

TEST_F(MecabTokenizer, LowerCasesWordsButNotThoseKeptWhole) {
  const auto tokenizer = JapaneseFiles(with(kIpadic, {{"do_lower_case", true}})).load();
  EXPECT_THAT(tokens(tokenizer, "Hello™ TM"), ElementsAre("hello", "##tm", "tm"));
  const auto kept =
      JapaneseFiles(with(kIpadic, {{"do_lower_case", true}, {"never_split", {"Hello"}}})).load();
  EXPECT_THAT(tokens(kept, "Hello HELLO"), ElementsAre("Hello", "hello"));
}

// Characters that NFKC takes apart or together are found again.
TEST_F(MecabTokenizer, OffsetsLeadThroughNormalization) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  const std::string text = "ｶﾞｽ ㎏　東京";
  const auto encoding = tokenizer.encode(text, {.add_special_tokens = false});
  EXPECT_THAT(encoding.tokens, ElementsAre("ガス", "kg", "東京"));
  EXPECT_THAT(encoding.offsets, ElementsAre(Span{0, 3}, Span{4, 5}, Span{6, 8}));
  const auto bytes =
      tokenizer.encode(text, {.add_special_tokens = false, .offsets = OffsetUnit::bytes});
  EXPECT_EQ(text.substr(static_cast<std::size_t>(bytes.offsets[1].begin), 3), "㎏");
  // Half of a word that one character of the text stands for has all of its place.
  EXPECT_THAT(tokenizer.encode("カ\u3099ス東", {.add_special_tokens = false}).offsets,
              ElementsAre(Span{0, 3}, Span{3, 4}));
}

TEST_F(MecabTokenizer, Characters) {
  const auto tokenizer =
      JapaneseFiles(with(kIpadic, {{"subword_tokenizer_type", "character"}})).load();
  const auto encoding = tokenizer.encode("東京都ab", {.add_special_tokens = false});
  EXPECT_THAT(encoding.tokens, ElementsAre("東", "京", "都", "a", "b"));
  EXPECT_THAT(encoding.word_ids, ElementsAre(0, 0, 1, 2, 2));
  EXPECT_EQ(tokenizer.model(), TokenizerModel::characters);
  EXPECT_FALSE(tokenizer.continues_word(*tokenizer.token_to_id("##京")));
}

TEST_F(MecabTokenizer, WholeWords) {
  const auto tokenizer = JapaneseFiles(with(kIpadic, {{"do_subword_tokenize", false}})).load();
  const auto encoding = tokenizer.encode("東京タワー都", {.add_special_tokens = false});
  EXPECT_THAT(encoding.tokens, ElementsAre("東京", "タワー", "都"));
  EXPECT_THAT(encoding.ids, ElementsAre(5, 1, 6));
}

TEST_F(MecabTokenizer, WordsThatAreSplitBefore) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  const std::vector<std::string_view> words{"東京都", "a b", "", "hello"};
  const auto encoding = tokenizer.encode_words(words, {.add_special_tokens = false});
  EXPECT_THAT(encoding.tokens, ElementsAre("東京", "都", "a", "b", "hello"));
  EXPECT_THAT(encoding.word_ids, ElementsAre(0, 0, 1, 1, 3));
}

// transformers loses what comes after a U+0000, and after 65,535 bytes of white space.
TEST_F(MecabTokenizer, NothingIsLost) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  using namespace std::string_view_literals;
  EXPECT_THAT(tokens(tokenizer, "東京\0都\0\0a"sv), ElementsAre("東京", "都", "a"));
  EXPECT_THAT(tokens(tokenizer, "\0"sv), IsEmpty());
  EXPECT_THAT(
      tokens(tokenizer, "東京" + std::string(70'000, ' ') + "都" + std::string(200'000, ' ')),
      ElementsAre("東京", "都"));
  EXPECT_THAT(tokens(tokenizer, "東京\xFF都"sv), ElementsAre("東京", "[UNK]", "都"));
}

TEST_F(MecabTokenizer, LongTexts) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  std::string text;
  while (text.size() < 200'000) text += "東京都に行く。";
  EXPECT_EQ(tokenizer.count_tokens(text), static_cast<std::int64_t>(text.size() / 21 * 5 + 2));
  const auto cut = tokenizer.encode(
      text, {.truncation = Truncation::longest_first, .max_length = 8, .overflowing = false});
  EXPECT_EQ(cut.ids.size(), 8U);
  while (text.size() <= text::Mecab::kMostBytes) text += text;
  EXPECT_THAT(testing::refusal([&] { static_cast<void>(tokenizer.encode(text)); }, "long"),
              HasSubstr("split it"));
}

TEST_F(MecabTokenizer, ThreadsShareIt) {
  const auto tokenizer = JapaneseFiles(kIpadic).load();
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) {
    texts.push_back("東京都に" + std::string(static_cast<std::size_t>(i % 7), 'a') + "行く hello");
  }
  std::vector<std::vector<std::string>> expected;
  for (const auto& text : texts) expected.push_back(tokens(tokenizer, text));
  std::vector<std::thread> threads;
  std::vector<int> wrong(8);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto at = (i + t * 31) % texts.size();
        wrong[t] += tokens(tokenizer, texts[at]) == expected[at] ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

TEST_F(MecabTokenizer, SavedAndReadAgain) {
  const auto config =
      with(kIpadic, {{"do_lower_case", true}, {"never_split", {"TM"}}, {"model_max_length", 128}});
  const JapaneseFiles files(config);
  const auto tokenizer = files.load();
  testing::TempDirectory folder;
  folder.write("tokenizer.json", "{}");  // of another tokenizer before
  tokenizer.save_pretrained(folder.path());
  EXPECT_FALSE(files::exists(folder.path() / "tokenizer.json"));
  EXPECT_EQ(files::read_text(folder.path() / "vocab.txt"), kJapaneseVocab);
  const auto saved = Tokenizer::from_pretrained(folder.path());
  const auto parsed = Tokenizer::from_json(tokenizer.to_json(), tokenizer.config_to_json());
  for (const auto* again : {&saved, &parsed}) {
    EXPECT_EQ(again->config_to_json(), tokenizer.config_to_json());
    EXPECT_EQ(again->to_json(), tokenizer.to_json());
    EXPECT_EQ(tokens(*again, "東京都に™ HELLO"), tokens(tokenizer, "東京都に™ HELLO"));
    EXPECT_EQ(again->model_max_length(), 128);
  }
  const auto stated = Json::parse(tokenizer.config_to_json());
  EXPECT_EQ(stated["tokenizer_class"], "BertJapaneseTokenizer");
  EXPECT_EQ(stated["mecab_kwargs"], config["mecab_kwargs"]);
  EXPECT_EQ(tokenizer.decode(std::vector<std::int32_t>{2, 5, 8, 3}), "東京京");
}

TEST_F(MecabTokenizer, OptionsOfMecab) {
  const auto with_option = [](const std::string& option, const Json& name) {
    return with(kIpadic, {{"mecab_kwargs", {{"mecab_dic", name}, {"mecab_option", option}}}});
  };
  const auto dictionary = JapaneseFiles(kIpadic).load().japanese()->dictionary;
  const auto by_option =
      JapaneseFiles(with_option("-Owakati -d '" + dictionary.string() + "' -M 3", nullptr)).load();
  EXPECT_EQ(by_option.japanese()->dictionary, dictionary);
  EXPECT_EQ(by_option.japanese()->decided_by, "mecab_option");
  EXPECT_THAT(JapaneseFiles(with_option("-a", "ipadic")).refusal(), HasSubstr("\"-a\""));
  EXPECT_THAT(JapaneseFiles(with_option("--partial", "ipadic")).refusal(),
              HasSubstr("\"--partial\""));
  EXPECT_THAT(JapaneseFiles(with_option("-d", "ipadic")).refusal(), HasSubstr("needs a value"));
  EXPECT_THAT(JapaneseFiles(with_option("'a", "ipadic")).refusal(), HasSubstr("quotation"));
  EXPECT_THAT(JapaneseFiles(with_option("-u /no/such/dictionary", "ipadic")).refusal(),
              HasSubstr("cannot open"));
}

TEST_F(MecabTokenizer, AnotherDictionaryIsRefused) {
  const auto dictionary = JapaneseFiles(kIpadic).load().japanese()->dictionary;
  EXPECT_THAT(JapaneseFiles(with(kIpadic, {{"mecab_kwargs", {{"mecab_dic", "unidic_lite"}}}}))
                  .refusal(dictionary),
              AllOf(HasSubstr("unidic_lite"), HasSubstr("is an ipadic")));
  EXPECT_EQ(JapaneseFiles(kIpadic).refusal(dictionary), "");
}

/// An environment in which no Python has a dictionary, but for those that a test puts in.
class PythonPackages {
 public:
  /// The package's dictionary is the one in `directory`.
  void install(const std::string& package, const fs::path& directory) const {
    const auto packages = folder_.path() / "lib" / "python3.11" / "site-packages" / package;
    fs::create_directories(packages);
    fs::create_directory_symlink(directory, packages / "dicdir");
  }
  [[nodiscard]] const fs::path& path() const { return folder_.path(); }

 private:
  testing::TempDirectory folder_;
  testing::EnvironmentSetting given_{"CLOZE_MECAB_DICTIONARY", nullptr};
  testing::EnvironmentSetting home_{"HOME", folder_.path().c_str()};
  testing::EnvironmentSetting venv_{"VIRTUAL_ENV", folder_.path().c_str()};
  testing::EnvironmentSetting conda_{"CONDA_PREFIX", nullptr};
};

TEST(JapaneseFiles, ADictionaryThatIsNotInstalled) {
  const PythonPackages none;
  for (const auto* name : {"unidic_lite", "unidic"}) {
    EXPECT_THAT(JapaneseFiles(with(kIpadic, {{"mecab_kwargs", {{"mecab_dic", name}}}})).refusal(),
                AllOf(HasSubstr(name), HasSubstr("--dictionary DIR"), HasSubstr("Python package")));
  }
  // transformers takes unidic_lite: to take whatever is there gives other words, and says nothing.
  for (const auto& unnamed : {Json{}, Json{{"normalize_text", true}}}) {
    EXPECT_THAT(JapaneseFiles(with(kIpadic, {{"mecab_kwargs", unnamed}})).refusal(),
                AllOf(HasSubstr("mecab_dic"), HasSubstr("unidic_lite"), HasSubstr("ipadic"),
                      HasSubstr("--dictionary DIR")));
  }
}

TEST_F(MecabTokenizer, DictionariesOfPythonPackages) {
  const PythonPackages python;
  const auto ipadic = JapaneseFiles(kIpadic).load().japanese()->dictionary;
  const Json unnamed = with(kIpadic, {{"mecab_kwargs", Json{}}});

  const auto given = JapaneseFiles(unnamed).load(ipadic).japanese();
  EXPECT_EQ(given->dictionary, ipadic);
  EXPECT_EQ(given->dictionary_name, "");
  EXPECT_EQ(given->decided_by, "the option dictionary");

  python.install("unidic_lite", ipadic);
  const auto words = JapaneseFiles(unnamed).load().japanese();
  EXPECT_EQ(words->dictionary,
            python.path() / "lib" / "python3.11" / "site-packages" / "unidic_lite" / "dicdir");
  EXPECT_EQ(words->dictionary_name, "unidic_lite");
  EXPECT_EQ(words->decided_by, text::kDecidedByDefault);
  EXPECT_FALSE(words->name_is_stated);
  // What a checkpoint names is found in the same way, and must be of this kind.
  EXPECT_THAT(
      JapaneseFiles(with(kIpadic, {{"mecab_kwargs", {{"mecab_dic", "unidic_lite"}}}})).refusal(),
      HasSubstr("is an ipadic"));
}

TEST(JapaneseFiles, WhatClozeDoesNotHaveIsRefusedByName) {
  const auto says = [](const Json& more) { return JapaneseFiles(with(kIpadic, more)).refusal(); };
  EXPECT_THAT(says({{"word_tokenizer_type", "sudachi"}}), HasSubstr("\"sudachi\""));
  EXPECT_THAT(says({{"word_tokenizer_type", "jumanpp"}}), HasSubstr("\"jumanpp\""));
  EXPECT_THAT(says({{"subword_tokenizer_type", "sentencepiece"}}), HasSubstr("\"sentencepiece\""));
  EXPECT_THAT(says({{"mecab_kwargs", {{"mecab_dic", "juman"}}}}), HasSubstr("\"juman\""));
  EXPECT_THAT(says({{"mecab_kwargs", {{"mecab_dic", ""}}}}), HasSubstr("mecab_dic is \"\""));
  EXPECT_THAT(says({{"mecab_kwargs", {{"do_lower_case", true}}}}), HasSubstr("do_lower_case"));
  EXPECT_THAT(says({{"mecab_kwargs", {{"userdic", "x"}}}}), HasSubstr("\"userdic\""));
  EXPECT_THAT(says({{"mecab_kwargs", "ipadic"}}), HasSubstr("must be an object"));
  EXPECT_THAT(testing::refusal(
                  [] {
                    static_cast<void>(Tokenizer::from_pretrained(JapaneseFiles(kBasic).path(),
                                                                 TokenizerMode::google));
                  },
                  ""),
              HasSubstr("BertJapaneseTokenizer"));
  testing::TempDirectory folder;
  folder.write("tokenizer_config.json", kBasic.dump());
  EXPECT_THAT(
      testing::refusal([&] { static_cast<void>(Tokenizer::from_pretrained(folder.path())); }, "",
                       testing::kLongestWithPath),
      HasSubstr("no vocab.txt"));
  // config.json alone says it, and transformers does not ask it.
  folder.write("vocab.txt", kJapaneseVocab);
  folder.write("config.json", R"({"word_tokenizer_type": "mecab"})");
  EXPECT_THAT(
      testing::refusal([&] { static_cast<void>(Tokenizer::from_pretrained(folder.path())); }, "",
                       testing::kLongestWithPath),
      HasSubstr("state it in tokenizer_config.json"));
}

TEST(JapaneseFiles, StrangeValuesAreRefusedOrRead) {
  const Json config =
      with(kBasic, {{"do_lower_case", true},
                    {"do_word_tokenize", true},
                    {"do_subword_tokenize", true},
                    {"never_split", {"a"}},
                    {"word_tokenizer_type", "basic"},
                    {"subword_tokenizer_type", "wordpiece"},
                    {"mecab_kwargs", {{"mecab_dic", "ipadic"}, {"normalize_text", true}}}});
  const auto json = JapaneseFiles(config).load().to_json();
  testing::for_each_wrong(config, [&](const std::string& text) {
    static_cast<void>(testing::refuses(
        [&] { static_cast<void>(Tokenizer::from_json(json, text).encode("東京 a")); },
        text.substr(0, 200)));
  });
}

TEST(BasicJapanese, WordsAsTransformersHasThem) {
  const std::string vocab =
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nが\nか\ncafe\nhello\n東京\n,\nDon't\n'\ndon\nt\n";
  const auto tokenizer = JapaneseFiles(with(kBasic, {{"do_lower_case", true}}), vocab).load();
  // NFC; white space of any kind; ideographs are no words; accents go with upper case.
  EXPECT_THAT(tokens(tokenizer, "か\u3099 CAFÉ,Hello\u2028東京 \uE000\u200B don't"),
              ElementsAre("か", "cafe", ",", "hello", "東京", "don", "'", "t"));
  const auto cased = JapaneseFiles(with(kBasic, {{"never_split", {"Don't"}}}), vocab).load();
  EXPECT_THAT(tokens(cased, "か\u3099 Don't don't"), ElementsAre("が", "Don't", "don", "'", "t"));
  EXPECT_EQ(cased.japanese()->word_tokenizer, "basic");
  EXPECT_TRUE(cased.japanese()->dictionary.empty());
  const auto offsets = cased.encode("か\u3099 Don't", {.add_special_tokens = false}).offsets;
  EXPECT_THAT(offsets, ElementsAre(Span{0, 2}, Span{3, 8}));
}

TEST(BasicJapanese, WordsOfAnyLength) {
  const auto tokenizer = JapaneseFiles(kBasic).load();
  EXPECT_THAT(tokens(tokenizer, "a" + std::string(99, 'b')).size(), 100U);
  EXPECT_THAT(tokens(tokenizer, "a" + std::string(100, 'b')), ElementsAre("[UNK]"));
  EXPECT_THAT(tokens(tokenizer, "ac"), ElementsAre("[UNK]"));
}

// Where the room for both texts is odd, the first has one token more, as in transformers.
TEST(BasicJapanese, PairsAreCutAsTokenizersInPythonCutThem) {
  const auto tokenizer = JapaneseFiles(kBasic).load();
  const EncodeOptions options{.truncation = Truncation::longest_first, .max_length = 8};
  const auto short_first = tokenizer.encode("a a a a", "b b b b b b", options);
  EXPECT_THAT(short_first.type_ids, ElementsAre(0, 0, 0, 0, 0, 1, 1, 1));
  Batch batch;
  tokenizer.append_to(batch, "a a a a", "b b b b b b", options);
  EXPECT_EQ(batch.input_ids, short_first.ids);
}

TEST(Dictionary, IsCheckedBeforeMecabOpensIt) {
  const auto head = [](std::size_t size, const std::string& encoding, std::uint32_t contexts) {
    std::string bytes(size, '\0');
    const std::uint32_t fields[] = {
        static_cast<std::uint32_t>(size) ^ 0xEF718F77U, 102, 0, 1, contexts, contexts};
    std::memcpy(bytes.data(), fields, sizeof fields);
    std::memcpy(bytes.data() + 40, encoding.data(), encoding.size());
    return bytes;
  };
  const auto says = [](const fs::path& path) {
    return testing::refusal([&] { static_cast<void>(text::read_dictionary(path)); }, "",
                            testing::kLongestWithPath);
  };
  EXPECT_THAT(says("/no/such/dictionary"), HasSubstr("no such directory"));
  testing::TempDirectory folder;
  EXPECT_THAT(says(folder.path()), HasSubstr("no sys.dic"));
  folder.write("matrix.def", "");
  EXPECT_THAT(says(folder.path()), HasSubstr("mecab-dict-index"));
  for (const auto* name : {"unk.dic", "char.bin", "dicrc"}) folder.write(name, "");
  const std::uint16_t sizes[] = {2, 2, 0, 0, 0, 0};
  folder.write("matrix.bin", std::string(reinterpret_cast<const char*>(sizes), sizeof sizes));
  folder.write("sys.dic", head(100, "EUC-JP", 2));
  EXPECT_THAT(says(folder.path()), AllOf(HasSubstr("\"EUC-JP\""), HasSubstr("mecab-ipadic-utf8")));
  folder.write("sys.dic", head(100, "SHIFT-JIS", 2));
  EXPECT_THAT(says(folder.path()), HasSubstr("\"SHIFT-JIS\""));
  for (const auto* encoding : {"utf8", "UTF-8", "utf-8"}) {
    folder.write("sys.dic", head(100, encoding, 2));
    EXPECT_EQ(says(folder.path()), "");
  }
  folder.write("sys.dic", head(100, "utf8", 3));
  EXPECT_THAT(says(folder.path()), HasSubstr("3 contexts"));
  folder.write("sys.dic", head(100, "utf8", 2).substr(0, 99));
  EXPECT_THAT(says(folder.path()), HasSubstr("99 bytes"));
  folder.write("sys.dic", "no dictionary");
  EXPECT_THAT(says(folder.path()), HasSubstr("13 bytes"));
}

TEST(Dictionary, MecabOptionIsSplitAsAShellDoesIt) {
  const auto split = [](const std::string& line) { return text::split_as_shell(line, "here"); };
  EXPECT_THAT(split(R"(-d "/a b" -r '/c "d"' e\ f "g\"h" "" i'j'k)"),
              ElementsAre("-d", "/a b", "-r", "/c \"d\"", "e f", "g\"h", "", "ijk"));
  EXPECT_THAT(split("  "), IsEmpty());
}

TEST(MecabLibrary, ThatIsMissingIsNamed) {
  EXPECT_THAT(
      testing::refusal([] { static_cast<void>(text::load_mecab_library("libno-mecab.so.9")); }, ""),
      AllOf(HasSubstr("libmecab2"), HasSubstr("libno-mecab.so.9")));
  EXPECT_THAT(
      testing::refusal([] { static_cast<void>(text::load_mecab_library("libm.so.6")); }, ""),
      HasSubstr("has no mecab_"));
}

TEST(JapaneseChars, NormalFormsKeepTheirPlaces) {
  const auto chars = [](std::string_view text) {
    text::Chars result;
    text::append_chars(text, 0, OffsetUnit::code_points, result);
    return result;
  };
  const auto nfkc = text::normal_form(chars("ｶﾞ㋿"), text::NormalForm::nfkc);
  EXPECT_EQ(text::utf8_of(nfkc), "ガ令和");
  EXPECT_EQ(nfkc[0].end, 2);
  EXPECT_EQ(nfkc[1].begin, 2);
  EXPECT_EQ(nfkc[2].end, 3);
  EXPECT_EQ(text::utf8_of(text::normal_form(chars("か\u3099각"), text::NormalForm::nfc)), "が각");
  EXPECT_EQ(text::utf8_of(text::normal_form(chars("é각"), text::NormalForm::nfd)),
            "e\u0301\u1100\u1161\u11A8");
  EXPECT_EQ(text::utf8_of(text::lower_case(chars("ΑΣ. ΣΑ İ"))), "ας. σα i\u0307");
}

}  // namespace
}  // namespace cloze
