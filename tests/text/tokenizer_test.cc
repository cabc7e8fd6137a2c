#include "cloze/tokenizer.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/temp_directory.h"
#include "places.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kTokenizerGoldens = fs::path(kSourceDir) / "tests/text/goldens";

class Folder {  // of a tokenizer's files
 public:
  Folder& write(const std::string& name, const std::string& content) {
    directory_.write(name, content);
    return *this;
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }

 private:
  testing::TempDirectory directory_;
};

// What loading the folder says; empty when it loads.
template <class Expected>
std::string complaint(const Folder& folder) {
  try {
    (void)Tokenizer::from_pretrained(folder.path());
  } catch (const Expected& error) {
    return error.what();
  } catch (const Error& error) {
    ADD_FAILURE() << "another kind of error: " << error.what();
  }
  return "";
}

const std::string kVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\ncafe\n,\n.\n";

std::string json_with(const std::string& vocab, const std::string& more = "") {
  return R"({"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",)"
         R"("max_input_chars_per_word":100,"vocab":)" +
         vocab +
         R"(},"pre_tokenizer":{"type":"BertPreTokenizer"},"normalizer":{"type":"BertNormalizer",)"
         R"("clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true})" +
         more + "}";
}

const std::string kJsonVocab = R"({"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"[MASK]":4,"hello":5})";

TEST(Tokenizer, ReadmeExample) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const auto batch = tokenizer("Hello, my dog is cute");
  EXPECT_EQ(batch.sequences(), 1);
  EXPECT_EQ(batch.total_tokens(), 8);
  EXPECT_EQ(batch.input_ids.front(), tokenizer.cls_token_id());
  EXPECT_EQ(batch.input_ids.back(), tokenizer.sep_token_id());
  EXPECT_EQ(tokenizer.decode(batch.input_ids), "hello, my dog is cute");
  const auto pair = tokenizer("hello", "world");
  EXPECT_THAT(pair.token_type_ids, ::testing::Contains(1));
}

TEST(Tokenizer, TokensAndIds) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  EXPECT_EQ(tokenizer.token_to_id("[MASK]"), tokenizer.mask_token_id());
  EXPECT_EQ(tokenizer.token_to_id("[PAD]"), tokenizer.pad_token_id());
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.token_to_id(std::string(5000, 'x')), std::nullopt);
  EXPECT_EQ(tokenizer.token_to_id(""), std::nullopt);
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    EXPECT_EQ(tokenizer.token_to_id(tokenizer.id_to_token(id)), id);
  }
  EXPECT_THROW((void)tokenizer.id_to_token(-1), ArgumentError);
  EXPECT_THROW((void)tokenizer.id_to_token(tokenizer.vocab_size()), ArgumentError);
  EXPECT_THROW((void)tokenizer.decode(std::vector<std::int32_t>{1, 1 << 30}), ArgumentError);
  EXPECT_TRUE(tokenizer.do_lower_case());
}

TEST(Tokenizer, ByteOffsets) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const std::string text = "été 東hello";
  const auto encoding = tokenizer.encode(text, {.offsets = OffsetUnit::bytes});
  ASSERT_THAT(encoding.tokens, ElementsAre("[CLS]", "ete", "東", "hello", "[SEP]"));
  EXPECT_THAT(encoding.offsets,
              ElementsAre(Span{0, 0}, Span{0, 5}, Span{6, 9}, Span{9, 14}, Span{0, 0}));
}

// Python: b"...".decode("utf-8", errors="replace"), and offsets into what was given.
TEST(Tokenizer, InvalidUtf8CountsAsReplacementCharacters) {
  const auto cleaned = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const auto kept = Tokenizer::from_pretrained(kTokenizerGoldens / "raw");  // does not drop U+FFFD
  struct Case {
    std::string bytes;
    std::int32_t replacements;
  };
  for (const auto& [bytes, replacements] :
       {Case{"\x80", 1}, Case{"\xE4\xBD", 1}, Case{"\xE4\xBDx", 1}, Case{"\xED\xA0\x80", 3},
        Case{"\xC0\xAF", 2}, Case{"\xF0\x9F\x92", 1}, Case{"\xF4\x90\x80\x80", 4},
        Case{"\xF8\x88\x80\x80\x80", 5}, Case{"\xE0\x80\x80", 3}, Case{"\xFF\xFE", 2}}) {
    const std::string text = "of " + bytes + " hello";
    const auto trailing = static_cast<std::int32_t>(bytes.find('x') == std::string::npos ? 0 : 1);
    const auto points = cleaned.encode(text);
    const auto hello = 3 + replacements + trailing + 1;
    EXPECT_EQ(points.offsets[points.offsets.size() - 2], (Span{hello, hello + 5})) << bytes;
    const auto in_bytes = kept.encode(text, {.offsets = OffsetUnit::bytes});
    const auto size = static_cast<std::int32_t>(bytes.size());
    ASSERT_EQ(in_bytes.ids.size(), 5U) << bytes;
    EXPECT_EQ(in_bytes.offsets[2], (Span{3, 3 + size})) << bytes;
    EXPECT_EQ(in_bytes.offsets[3], (Span{4 + size, 9 + size})) << bytes;
  }
}

TEST(Tokenizer, BatchesAreTheSameAsTextsOneByOne) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  std::vector<std::string> strings;
  strings.reserve(200);
  for (int i = 0; i < 200; ++i) {
    strings.push_back(std::string(static_cast<std::size_t>(i % 7), 'a') + " the été of 東京 " +
                      std::to_string(i));
  }
  const std::vector<std::string_view> texts(strings.begin(), strings.end());
  const auto encodings = tokenizer.encode_batch(texts);
  Alignment alignment;
  const auto batch = tokenizer.pack(texts, {}, &alignment);
  ASSERT_EQ(batch.sequences(), 200);
  ASSERT_EQ(alignment.offsets.size(), batch.input_ids.size());
  Batch one_by_one;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(encodings[i].ids, tokenizer.encode(texts[i]).ids);
    tokenizer.append_to(one_by_one, texts[i]);
  }
  EXPECT_EQ(batch.input_ids, one_by_one.input_ids);
  EXPECT_EQ(batch.position_ids, one_by_one.position_ids);
  EXPECT_EQ(batch.cu_seqlens, one_by_one.cu_seqlens);
  EXPECT_EQ(batch.token_type_ids, one_by_one.token_type_ids);
  EXPECT_EQ(tokenizer.pack(std::span<const std::string_view>{}).sequences(), 0);

  const std::vector<TextPair> pairs{{"the", "hello world"}, {"", ""}, {"été", "of"}};
  const auto paired = tokenizer.pack(pairs);
  const auto paired_encodings = tokenizer.encode_batch(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(paired.length(static_cast<std::int64_t>(i)),
              static_cast<std::int64_t>(paired_encodings[i].ids.size()));
  }
}

TEST(Tokenizer, ABatchIsTheSameOnAnyNumberOfThreads) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < 500; ++i) {  // lengths that leave parts of uneven work
    std::string text = "été";
    for (std::size_t n = 0; n < i * i % 97; ++n) text += " hello" + std::to_string(i % 10);
    strings.push_back(std::move(text));
  }
  const std::vector<std::string_view> texts(strings.begin(), strings.end());
  Batch expected;
  Alignment expected_alignment;
  for (const auto text : texts) tokenizer.append_to(expected, expected_alignment, text);
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (int repeat = 0; repeat < 5; ++repeat) {
      Alignment alignment{.offsets = {{1, 2}}, .word_ids = {7}};  // what was there goes
      const auto batch = tokenizer.pack(texts, {}, &alignment);
      EXPECT_EQ(batch.input_ids, expected.input_ids);
      EXPECT_EQ(batch.token_type_ids, expected.token_type_ids);
      EXPECT_EQ(batch.position_ids, expected.position_ids);
      EXPECT_EQ(batch.cu_seqlens, expected.cu_seqlens);
      EXPECT_EQ(alignment.offsets, expected_alignment.offsets);
      EXPECT_EQ(alignment.word_ids, expected_alignment.word_ids);
    }
  }
  set_num_threads(0);
}

TEST(Tokenizer, ErrorsInBatchesArriveWhole) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const std::vector<std::string_view> texts(100, "hello world");
  const EncodeOptions options{.truncation = Truncation::only_second, .max_length = 3};
  EXPECT_THROW((void)tokenizer.encode_batch(texts, options), ArgumentError);
  EXPECT_THROW((void)tokenizer.pack(texts, options), ArgumentError);
}

TEST(Tokenizer, Padding) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const auto encode = [&] {
    return std::vector<Encoding>{
        tokenizer.encode("hello"),
        tokenizer.encode("of the new york",
                         {.truncation = Truncation::longest_first, .max_length = 5})};
  };
  auto right = encode();
  tokenizer.pad(right);
  EXPECT_EQ(right[0].ids.size(), 5U);
  EXPECT_EQ(right[0].tokens.back(), "[PAD]");
  EXPECT_THAT(right[0].attention_mask, ElementsAre(1, 1, 1, 0, 0));
  EXPECT_THAT(right[0].special_tokens_mask, ElementsAre(1, 0, 1, 1, 1));
  EXPECT_THAT(right[0].word_ids, ElementsAre(-1, 0, -1, -1, -1));
  EXPECT_THAT(right[0].sequence_ids, ElementsAre(-1, 0, -1, -1, -1));
  ASSERT_EQ(right[1].overflowing.size(), 1U);
  EXPECT_EQ(right[1].overflowing[0].ids.size(), 5U);  // [CLS] york [SEP] and two more

  auto left = encode();
  tokenizer.pad(left, {.length = 6, .multiple_of = 4, .side = Side::left});
  EXPECT_EQ(left[0].ids.size(), 8U);
  EXPECT_EQ(left[0].ids.front(), tokenizer.pad_token_id());
  EXPECT_EQ(left[0].offsets.back(), (Span{0, 0}));
  EXPECT_EQ(left[0].tokens[6], "hello");

  auto unchanged = encode();
  tokenizer.pad(unchanged, {.length = 2});
  EXPECT_EQ(unchanged[0].ids.size(), 3U);
}

TEST(Tokenizer, AnAlignmentGoesWithItsBatch) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  Batch batch = tokenizer("hello");
  Alignment alignment;
  EXPECT_THROW(tokenizer.append_to(batch, alignment, "hello"), ArgumentError);
  EXPECT_EQ(batch.sequences(), 1);
}

TEST(Tokenizer, WithoutSpecialTokens) {
  const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased");
  const EncodeOptions options{.add_special_tokens = false};
  const auto encoding = tokenizer.encode("hello", "the dog", options);
  EXPECT_THAT(encoding.tokens, ElementsAre("hello", "the", "dog"));
  EXPECT_THAT(encoding.type_ids, ElementsAre(0, 1, 1));
  EXPECT_THAT(encoding.word_ids, ElementsAre(0, 0, 1));
}

// A word of any length, a text of any length: eight times the bytes take about eight times as long.
// Quadratic work would take 64 times as long. In processor time, the best of several runs, so that
// a busy machine does not matter.
void expect_linear_time(const Tokenizer& tokenizer, std::string_view unit, std::string_view end) {
  const auto seconds = [&](std::size_t size) {
    std::string text;
    while (text.size() < size) text += unit;
    text += end;
    double best = 1e9;
    for (int run = 0; run < 5; ++run) {
      const auto begin = std::clock();
      (void)tokenizer(text);
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  };
  constexpr std::size_t kSize = 1 << 17;
  EXPECT_LT(seconds(8 * kSize), 24 * seconds(kSize) + 0.01) << unit << end;
}

const std::vector<std::string> kHostileUnits{"a",
                                             "[",
                                             std::string(1, '\0'),
                                             "é",
                                             "\u0301",
                                             "\u302E\u0301",
                                             "[MASK",
                                             "a\u0300\u0323",
                                             std::string(99, 'a') + " ",
                                             "\u200B",
                                             "\xF0\x9F",
                                             "東",
                                             "a\u302E"};

TEST(Tokenizer, HostileTextsTakeLinearTime) {
  for (const auto mode : {TokenizerMode::hf, TokenizerMode::google}) {
    const auto tokenizer = Tokenizer::from_pretrained(kTokenizerGoldens / "uncased", mode);
    for (const auto& unit : kHostileUnits) expect_linear_time(tokenizer, unit, "");
  }
}

// Words of any length are looked into, every prefix of a word is a piece, and the last character is
// in none: each place is a long match, and all the work is for nothing.
TEST(Tokenizer, HostileVocabulariesTakeLinearTime) {
  std::string vocab = R"({"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"[MASK]":4)";
  int id = 5;
  const auto add = [&](const std::string& token) {
    vocab += ",\"" + token + "\":" + std::to_string(id++);
  };
  for (std::size_t n = 1; n <= 64; ++n) {
    const std::string word(n, 'a');
    add(word);
    add("##" + word);
    if (n > 1) add("##" + word + "b");
  }
  auto json = json_with(vocab + "}");
  const std::string limit = "\"max_input_chars_per_word\":100";
  json.replace(json.find(limit), limit.size(), "\"max_input_chars_per_word\":1000000000");
  Folder folder;
  const auto tokenizer = Tokenizer::from_pretrained(folder.write("tokenizer.json", json).path());
  EXPECT_EQ(tokenizer(std::string(640, 'a')).total_tokens(), 10);  // no template

  EXPECT_EQ(tokenizer(std::string(640, 'a') + "x").total_tokens(), 1);
  expect_linear_time(tokenizer, "a", "");
  expect_linear_time(tokenizer, "a", "x");
  expect_linear_time(tokenizer, std::string(65, 'a') + "b", "");
}

TEST(TokenizerFiles, MissingPlaces) {
  const Folder folder;
  EXPECT_THAT(complaint<IoError>(folder), HasSubstr("neither tokenizer.json nor vocab.txt"));
  EXPECT_THROW((void)Tokenizer::from_pretrained("/no/such/folder"), IoError);
  EXPECT_THROW((void)Tokenizer::from_pretrained(kTokenizerGoldens / "vocab" / "vocab.txt"),
               IoError);
}

TEST(TokenizerFiles, VocabularyWithCrlfAndTrailingSpace) {
  Folder folder;
  std::string crlf;
  for (const char c : kVocab) crlf += c == '\n' ? " \r\n" : std::string(1, c);
  folder.write("vocab.txt", crlf);
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.vocab_size(), 10);
  EXPECT_EQ(tokenizer.decode(tokenizer("Hellos, café.").input_ids), "hellos, cafe.");
}

TEST(TokenizerFiles, VocabularyWithoutFinalLineEndOrWithByteOrderMark) {
  Folder folder;
  folder.write("vocab.txt", "\xEF\xBB\xBF" + kVocab + "last");
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.pad_token_id(), 0);
  EXPECT_EQ(tokenizer.token_to_id("last"), 10);
}

TEST(TokenizerFiles, VocabularyThatIsNone) {
  Folder folder;
  EXPECT_THAT(complaint<FormatError>(folder.write("vocab.txt", kVocab + "caf\xE9\n")),
              AllOf(HasSubstr("line 11"), HasSubstr("UTF-8")));
  EXPECT_THAT(complaint<FormatError>(folder.write("vocab.txt", "")), HasSubstr("empty"));
  EXPECT_THAT(complaint<FormatError>(folder.write("vocab.txt", "[UNK]\n[SEP]\na\n")),
              HasSubstr("\"[CLS]\""));
  EXPECT_THAT(complaint<FormatError>(folder.write("vocab.txt", "[CLS]\n[SEP]\na\n")),
              HasSubstr("\"[UNK]\""));
}

TEST(TokenizerFiles, NamesOfSpecialTokensComeFromTheConfiguration) {
  Folder folder;
  folder.write("vocab.txt", "<pad>\n<unk>\n<s>\n</s>\nhello\n")
      .write(
          "tokenizer_config.json",
          R"({"unk_token":"<unk>","cls_token":{"content":"<s>","lstrip":true},"sep_token":"</s>",)"
          R"("pad_token":"<pad>","mask_token":null,"do_lower_case":false,"model_max_length":1e30})");
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer("hello").input_ids, (std::vector<std::int32_t>{2, 4, 3}));
  EXPECT_EQ(tokenizer("hello </s>").input_ids, (std::vector<std::int32_t>{2, 4, 3, 3}));
  EXPECT_EQ(tokenizer.mask_token_id(), std::nullopt);
  EXPECT_EQ(tokenizer.model_max_length(), std::nullopt);
  EXPECT_FALSE(tokenizer.do_lower_case());
}

TEST(TokenizerFiles, NoPaddingToken) {
  Folder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nhello\n");
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer("hello").total_tokens(), 3);
  EXPECT_THROW((void)tokenizer.pad_token_id(), ModelError);
}

TEST(TokenizerFiles, OlderCompanionsOfVocabTxt) {
  Folder folder;
  folder.write("vocab.txt", kVocab)
      .write("special_tokens_map.json", R"({"mask_token":"<m>"})")
      .write("added_tokens.json", R"({"<m>":10,"Extra":11})");
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.mask_token_id(), 10);
  EXPECT_EQ(tokenizer("hello <m> EXTRA extras").input_ids,
            (std::vector<std::int32_t>{2, 5, 10, 11, 11, 1, 3}));
}

TEST(TokenizerFiles, ConfigurationWinsOverTokenizerJson) {
  Folder folder;
  folder.write("tokenizer.json", json_with(kJsonVocab))
      .write("tokenizer_config.json", R"({"do_lower_case":false})");
  EXPECT_FALSE(Tokenizer::from_pretrained(folder.path()).do_lower_case());
  folder.write("tokenizer_config.json", R"({"model_max_length":128})");
  EXPECT_TRUE(Tokenizer::from_pretrained(folder.path()).do_lower_case());
}

// What transformers 5 makes of such a directory (tests/conformance/tokenizer_classes.py).
TEST(TokenizerClass, DecidesWhatTokenizerJsonSays) {
  const auto tokens = [](const std::string& configuration) {
    auto json = json_with(kJsonVocab);
    const std::string lowercase = "\"lowercase\":true";
    json.replace(json.find(lowercase), lowercase.size(), "\"lowercase\":false");
    Folder folder;
    folder.write("tokenizer.json", json).write("config.json", R"({"model_type":"bert"})");
    if (!configuration.empty()) folder.write("tokenizer_config.json", configuration);
    return Tokenizer::from_pretrained(folder.path()).encode("Hello", {.add_special_tokens = false});
  };
  const std::vector<std::string> lower{"hello"}, unknown{"[UNK]"};
  EXPECT_EQ(tokens("").tokens, lower);  // BertTokenizer's default
  EXPECT_EQ(tokens("{}").tokens, lower);
  EXPECT_EQ(tokens(R"({"tokenizer_class":"BertTokenizer"})").tokens, lower);
  EXPECT_EQ(tokens(R"({"tokenizer_class":"ElectraTokenizerFast"})").tokens, lower);
  EXPECT_EQ(tokens(R"({"tokenizer_class":"BertTokenizer","do_lower_case":false})").tokens, unknown);
  EXPECT_EQ(tokens(R"({"tokenizer_class":"PreTrainedTokenizerFast"})").tokens, unknown);
  EXPECT_EQ(tokens(R"({"tokenizer_class":"TokenizersBackend","do_lower_case":true})").tokens,
            unknown);
}

TEST(TokenizerClass, DecidesTheContinuingPrefix) {
  auto json = json_with(
      R"({"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"[MASK]":4,"hel":5,"@@lo":6,"##lo":7})");
  const std::string prefix = R"("continuing_subword_prefix":"##")";
  json.replace(json.find(prefix), prefix.size(), R"("continuing_subword_prefix":"@@")");
  const auto ids = [&](const std::string& name) {
    return Tokenizer::from_json(json, R"({"tokenizer_class":")" + name + "\"}")
        .encode("hello", {.add_special_tokens = false})
        .ids;
  };
  EXPECT_THAT(ids("BertTokenizer"), ElementsAre(5, 7));
  EXPECT_THAT(ids("DistilBertTokenizerFast"), ElementsAre(5, 7));
  EXPECT_THAT(ids("PreTrainedTokenizerFast"), ElementsAre(5, 6));
}

TEST(TokenizerClass, OfAnotherModelIsRefused) {
  const auto says = [](const std::string& configuration, const std::string& model) {
    Folder folder;
    folder.write("vocab.txt", kVocab).write("tokenizer_config.json", configuration);
    folder.write("config.json", model);
    return complaint<ModelError>(folder);
  };
  EXPECT_EQ(says("{}", "{}"), "");
  for (const std::string name : {"CamembertTokenizer", "T5TokenizerFast", "KoBertTokenizer"}) {
    const auto json = R"({"tokenizer_class":")" + name + "\"}";
    EXPECT_THAT(says(json, "{}"), HasSubstr('"' + name + '"'));
    EXPECT_THAT(says("{}", json), HasSubstr('"' + name + '"'));
    EXPECT_EQ(says(R"({"tokenizer_class":"BertTokenizer"})", json), "");  // it is asked first
  }
  EXPECT_THAT(says(R"({"word_tokenizer_type":"mecab"})", "{}"), HasSubstr("\"mecab\""));
  EXPECT_THAT(says("{}", R"({"subword_tokenizer_type":"character"})"), HasSubstr("\"character\""));
  EXPECT_EQ(says(R"({"word_tokenizer_type":"basic"})", "{}"), "");
  EXPECT_THAT(says(R"({"tokenizer_class":"PreTrainedTokenizerFast"})", "{}"),
              HasSubstr("tokenizer.json is missing"));
}

TEST(TokenizerClass, PiecesOfSentencePieceAreNoWordPieces) {
  Folder folder;
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char c = 'a'; c <= 'z'; ++c) vocabulary += std::string("\u2581") + c + '\n';
  EXPECT_THAT(complaint<ModelError>(folder.write("vocab.txt", vocabulary)),
              AllOf(HasSubstr("SentencePiece"), HasSubstr("26 tokens")));
  EXPECT_EQ(complaint<ModelError>(folder.write("vocab.txt", vocabulary + "##s\n")), "");
}

TEST(TokenizerClass, CleaningUpIsKept) {
  Folder folder;
  folder.write("vocab.txt", kVocab + "is\nn't\n'\n");
  const auto decoded = [&](const std::string& configuration) {
    folder.write("tokenizer_config.json", configuration);
    const auto tokenizer = Tokenizer::from_pretrained(folder.path());
    const auto again = Tokenizer::from_json(tokenizer.to_json(), tokenizer.config_to_json());
    const std::vector<std::int32_t> ids{*tokenizer.token_to_id("hello"),
                                        *tokenizer.token_to_id("'"),
                                        *tokenizer.token_to_id("hello")};
    EXPECT_EQ(tokenizer.decode(ids), again.decode(ids));
    return tokenizer.decode(ids);
  };
  EXPECT_EQ(decoded("{}"), "hello ' hello");
  EXPECT_EQ(decoded(R"({"clean_up_tokenization_spaces":false})"), "hello ' hello");
  EXPECT_EQ(decoded(R"({"clean_up_tokenization_spaces":true})"), "hello'hello");
}

TEST(TokenizerFiles, TokenizerJsonThatIsNone) {
  Folder folder;
  const auto says = [&](const std::string& json) {
    return complaint<FormatError>(folder.write("tokenizer.json", json));
  };
  const auto good = json_with(kJsonVocab);
  EXPECT_EQ(says(good), "");
  EXPECT_THAT(says(""), HasSubstr("ends early"));
  EXPECT_THAT(says("[]"), HasSubstr("tokenizer.json"));
  EXPECT_THAT(says("{}"), HasSubstr("model"));
  for (std::size_t size = 1; size < good.size(); ++size) {
    EXPECT_NE(says(good.substr(0, size)), "") << size;
  }
  EXPECT_THAT(says(good + "x"), HasSubstr("after the end"));
  EXPECT_THAT(says(json_with(R"({"a":0,"a":1})")), HasSubstr("twice"));
  EXPECT_THAT(says(json_with(R"({"a":0,"b":0})")), HasSubstr("id 0"));
  EXPECT_THAT(says(json_with(R"({"a":-1})")), HasSubstr("id"));
  EXPECT_THAT(says(json_with(R"({"a":99999999999})")), HasSubstr("id"));
  EXPECT_THAT(says(json_with(R"({"a":2000000000})")), HasSubstr("2000000000"));
  EXPECT_THAT(says(json_with(R"({"a":1.5})")), HasSubstr("id"));
  EXPECT_THAT(says(json_with(R"({"a\ud800":1})")), HasSubstr("surrogate"));
  EXPECT_THAT(says(json_with(R"({"\x":1})")), HasSubstr("escape"));
  EXPECT_THAT(says(json_with("{\"\xff\":1}")), HasSubstr("UTF-8"));
  EXPECT_THAT(says(json_with(R"({"[UNK]":0,"[SEP]":1})")), HasSubstr("[CLS]"));
  EXPECT_THAT(says(json_with(kJsonVocab, R"(,"added_tokens":[{"id":5}])")), HasSubstr("content"));
  EXPECT_THAT(says(json_with(kJsonVocab, R"(,"added_tokens":[{"id":5,"content":"<x>"}])")),
              HasSubstr("id 5"));
  EXPECT_THAT(
      says(json_with(kJsonVocab,
                     R"(,"added_tokens":[{"id":6,"content":"Foo"},{"id":7,"content":"foo"}])")),
      HasSubstr("Foo"));
  EXPECT_THAT(says(json_with(kJsonVocab, R"(,"added_tokens":[{"id":6,"content":"\u0301"}])")),
              HasSubstr("empty after normalization"));
  EXPECT_THAT(
      says(json_with(
          kJsonVocab,
          R"(,"post_processor":{"type":"BertProcessing","sep":["[X]",3],"cls":["[CLS]",2]})")),
      HasSubstr("[X]"));
}

TEST(TokenizerFiles, TokenizersOfOtherModels) {
  Folder folder;
  const auto says = [&](std::string json, const std::string& from, const std::string& to) {
    json.replace(json.find(from), from.size(), to);
    return complaint<ModelError>(folder.write("tokenizer.json", json));
  };
  const auto good = json_with(kJsonVocab, R"(,"post_processor":{"type":"ByteLevel"})");
  EXPECT_THAT(says(good, "\"WordPiece\"", "\"BPE\""), HasSubstr("BPE"));
  EXPECT_THAT(says(good, "BertNormalizer", "NFC"), HasSubstr("NFC"));
  EXPECT_THAT(says(good, "BertPreTokenizer", "Metaspace"), HasSubstr("Metaspace"));
  EXPECT_THAT(says(good, "ByteLevel", "RobertaProcessing"), HasSubstr("RobertaProcessing"));
}

TEST(TokenizerFiles, EscapesInTokenizerJson) {
  Folder folder;
  folder.write("tokenizer.json",
               json_with(R"({ "[PAD]" : 0, "[UNK]":1,"[CLS]":2,"[SEP]":3, "\u00e9t\u00e9":4,)"
                         R"("\ud83d\ude00" : 5 , "\"":6,"\\":7,"\/":8 })",
                         R"(,"other":[1,{"a":[true,null,-1.5e3,"\"}"]}])"));
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.token_to_id("été"), 4);
  EXPECT_EQ(tokenizer.token_to_id("😀"), 5);
  EXPECT_EQ(tokenizer.token_to_id("\""), 6);
  EXPECT_EQ(tokenizer.token_to_id("\\"), 7);
  EXPECT_EQ(tokenizer.token_to_id("/"), 8);
}

TEST(TokenizerFiles, ConfigurationThatIsNone) {
  Folder folder;
  folder.write("vocab.txt", kVocab);
  const auto says = [&](const std::string& json) {
    return complaint<FormatError>(folder.write("tokenizer_config.json", json));
  };
  EXPECT_THAT(says("{"), HasSubstr("tokenizer_config.json"));
  EXPECT_THAT(says("[]"), HasSubstr("object"));
  EXPECT_THAT(says(R"({"do_lower_case":"yes"})"), HasSubstr("do_lower_case"));
  EXPECT_THAT(says(R"({"cls_token":5})"), HasSubstr("cls_token"));
  EXPECT_THAT(says(R"({"added_tokens_decoder":{"x":{"content":"a"}}})"), HasSubstr("\"x\""));
  EXPECT_THAT(says(R"({"added_tokens_decoder":[]})"), HasSubstr("added_tokens_decoder"));
  EXPECT_EQ(says("{}"), "");
}

}  // namespace
}  // namespace cloze
