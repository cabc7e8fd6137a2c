// The parts of Unigram tokenizers, their files, and bad ones.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/bad_input.h"
#include "core/io/base64.h"
#include "core/io/files.h"
#include "core/temp_directory.h"
#include "places.h"
#include "text/files/piece_score.h"
#include "text/normalize/graphemes.h"
#include "text/normalize/precompiled_map.h"
#include "text/unigram/model.h"
#include "text/unigram/piece_trie.h"

namespace cloze::text {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const fs::path kUnigramFolder = fs::path(kSourceDir) / "tests/text/unigram_goldens";

// --- the trie

TEST(PieceTrie, FindsAllPiecesAndNoOthers) {
  std::mt19937 random(1);
  std::vector<std::string> pieces;
  for (int i = 0; i < 20'000; ++i) {
    std::string piece;
    const auto length = 1 + random() % 6;
    for (std::size_t k = 0; k < length; ++k) {
      piece +=
          random() % 3 == 0 ? "\u2581" : std::string(1, static_cast<char>('a' + random() % 20));
    }
    pieces.push_back(piece);
  }
  std::sort(pieces.begin(), pieces.end());
  pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
  std::vector<PieceTrie::Entry> entries{{"", 7}};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    entries.push_back({pieces[i], static_cast<std::int32_t>(i)});
  }
  const PieceTrie trie(entries);
  const auto value_of = [&trie](std::string_view text) {
    auto node = trie.root();
    std::int32_t value = PieceTrie::kNone;
    for (const char byte : text) {
      if (!trie.step(node, byte, value)) return PieceTrie::kNone;
    }
    return value;
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    ASSERT_EQ(value_of(pieces[i]), static_cast<std::int32_t>(i)) << pieces[i];
    const auto longer = pieces[i] + 'q';
    const auto at = std::lower_bound(pieces.begin(), pieces.end(), longer);
    const bool there = at != pieces.end() && *at == longer;
    ASSERT_EQ(value_of(longer), there ? at - pieces.begin() : PieceTrie::kNone) << longer;
  }
  EXPECT_EQ(value_of(std::string_view("\0", 1)), PieceTrie::kNone);
  EXPECT_EQ(value_of("z"), PieceTrie::kNone);
}

// --- the best path

// Every way to cut a sentence, plainly; the score of the best.
double best_score(const UnigramRules& rules, const Vocabulary& vocabulary, std::string_view text) {
  if (text.empty()) return 0;
  const double unknown = *std::min_element(rules.scores.begin(), rules.scores.end()) - 10;
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t size = 1; size <= text.size(); ++size) {
    const auto id = vocabulary.id_of(text.substr(0, size));
    const double rest = best_score(rules, vocabulary, text.substr(size));
    if (id) {
      best = std::max(best, rules.scores[static_cast<std::size_t>(*id)] + rest);
    } else if (size == 1) {
      best = std::max(best, unknown + rest);
    }
  }
  return best;
}

TEST(UnigramModel, FindsThePathOfTheBestScore) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> scores(-9, -1);
  for (int round = 0; round < 50; ++round) {
    UnigramRules rules;
    rules.scores = {0};
    Vocabulary vocabulary;
    vocabulary.add("<unk>", 0, false);
    for (int i = 0; i < 12; ++i) {
      std::string piece;
      for (auto k = 1 + random() % 3; k > 0; --k) piece += static_cast<char>('a' + random() % 3);
      const auto id = static_cast<std::int32_t>(rules.scores.size());
      if (vocabulary.add(piece, id, false)) rules.scores.push_back(scores(random));
    }
    const UnigramModel model(vocabulary, rules);
    std::string text;
    for (int i = 0; i < 10; ++i) text += static_cast<char>('a' + random() % 4);
    BestPath path;
    model.find(text, path);
    double total = 0;
    std::size_t at = 0;
    const double unknown = *std::min_element(rules.scores.begin(), rules.scores.end()) - 10;
    for (const auto& piece : path.pieces()) {
      EXPECT_EQ(piece.begin, at);
      at = piece.end;
      total += piece.id == 0 ? static_cast<double>(piece.end - piece.begin) * unknown
                             : rules.scores[static_cast<std::size_t>(piece.id)];
    }
    EXPECT_EQ(at, text.size());
    EXPECT_NEAR(total, best_score(rules, vocabulary, text), 1e-9) << text;
  }
}

// Both ways to cut 111 into 1 and 11 score -0.5; after a begin that is in the sum, its rounding
// decides. tokenizers 0.23.3 cuts so.
TEST(UnigramModel, TheRoundedSumFromTheBeginDecidesBetweenEquals) {
  UnigramRules rules;
  Vocabulary vocabulary;
  const std::vector<std::pair<std::string, double>> pieces{
      {"<unk>", 0}, {"1", -0.2}, {"11", -0.3}, {"p", -0.4}, {"q", -0.5}};
  for (const auto& [piece, score] : pieces) {
    vocabulary.add(piece, static_cast<std::int32_t>(rules.scores.size()), false);
    rules.scores.push_back(score);
  }
  const UnigramModel model(vocabulary, rules);
  const auto ids = [&model](std::string_view text) {
    BestPath path;
    model.find(text, path);
    std::vector<std::int32_t> found;
    for (const auto& piece : path.pieces()) found.push_back(piece.id);
    return found;
  };
  EXPECT_THAT(ids("111"), ElementsAre(1, 2));
  EXPECT_THAT(ids("p111"), ElementsAre(3, 2, 1));
  EXPECT_THAT(ids("q111"), ElementsAre(4, 1, 2));
}

// --- graphemes

std::vector<std::string> graphemes_of(std::string_view text) {
  std::vector<std::string> graphemes;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = grapheme_end(text, at);
    graphemes.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return graphemes;
}

TEST(Graphemes, AreThoseOfUnicode) {
  EXPECT_THAT(graphemes_of("ab\r\n\rc"), ElementsAre("a", "b", "\r\n", "\r", "c"));
  EXPECT_THAT(graphemes_of("e\u0301\u0302x"), ElementsAre("e\u0301\u0302", "x"));
  EXPECT_THAT(graphemes_of("\u1100\u1161\u11A8\u1100"),
              ElementsAre("\u1100\u1161\u11A8", "\u1100"));
  EXPECT_THAT(graphemes_of("\uAC00\u11A8\uAC01\u1161"),
              ElementsAre("\uAC00\u11A8", "\uAC01", "\u1161"));
  EXPECT_THAT(graphemes_of("\U0001F1E9\U0001F1EA\U0001F1EB"),
              ElementsAre("\U0001F1E9\U0001F1EA", "\U0001F1EB"));
  EXPECT_THAT(graphemes_of("\U0001F468\u200D\U0001F469a\u200D\U0001F469"),
              ElementsAre("\U0001F468\u200D\U0001F469", "a\u200D", "\U0001F469"));
  EXPECT_THAT(graphemes_of("\u0915\u094D\u0937\u0915"),
              ElementsAre("\u0915\u094D\u0937", "\u0915"));
  EXPECT_THAT(graphemes_of("\u0600a\n\u0301"), ElementsAre("\u0600a", "\n", "\u0301"));
}

// --- scores

TEST(PieceScore, TokenizersReadsThemInItsOwnWay) {
  // As tokenizers 0.23.3 shows that it has read them.
  EXPECT_EQ(read_score("-15.774467468261719", Decimals::tokenizers), -15.77446746826172);
  EXPECT_EQ(read_score("-15.774467468261719", Decimals::exact), -15.774467468261719);
  EXPECT_EQ(read_score("-12.327755619547535", Decimals::tokenizers), -12.327755619547537);
  EXPECT_EQ(read_score("-3", Decimals::tokenizers), -3);
  EXPECT_EQ(read_score("2.5e2", Decimals::tokenizers), 250);
  EXPECT_EQ(read_score("1E-2", Decimals::tokenizers), 0.01);
  EXPECT_EQ(read_score("123456789012345678901234567890", Decimals::tokenizers),
            123456789012345678901234567890.0);
  EXPECT_EQ(read_score("1e999", Decimals::tokenizers), std::numeric_limits<double>::infinity());
  EXPECT_EQ(read_score("1e-999", Decimals::tokenizers), 0);
}

TEST(PieceScore, WhatIsWrittenIsReadAgain) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> values(-25, 1);
  for (int i = 0; i < 20'000; ++i) {
    const double value = i % 2 == 0 ? values(random) : static_cast<float>(values(random));
    for (const auto decimals : {Decimals::exact, Decimals::tokenizers}) {
      // Not every number is one that tokenizers can read.
      const double score = read_score(fmt::format("{:.17g}", value), decimals);
      EXPECT_EQ(read_score(write_score(score, decimals), decimals), score);
    }
  }
  EXPECT_EQ(write_score(0, Decimals::exact), "0.0");
  EXPECT_EQ(write_score(-4, Decimals::tokenizers), "-4.0");
}

// --- base64

TEST(Base64, ThereAndBack) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xFF\xFE\x01"}) {
    EXPECT_EQ(base64_decoded(base64_encoded(std::as_bytes(std::span(text)))), text);
  }
  EXPECT_EQ(base64_encoded(std::as_bytes(std::span("fooba", 5))), "Zm9vYmE=");
  for (const auto* bad :
       {"Z", "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm-v", "Zg==Zg=="}) {
    EXPECT_FALSE(base64_decoded(bad)) << bad;
  }
}

// --- the character map

// A map of single bytes: each stands for the replacement at a place.
std::string map_of(const std::vector<std::pair<unsigned char, std::uint32_t>>& bytes,
                   const std::string& replacements) {
  std::vector<std::uint32_t> units(1024);
  units[0] = 256U << 10U;
  for (const auto& [byte, place] : bytes) {
    units[256U ^ byte] = ((256U ^ byte) ^ (512U + byte)) << 10U | 1U << 8U | byte;
    units[512U + byte] = place;
  }
  const auto size = static_cast<std::uint32_t>(units.size() * sizeof(std::uint32_t));
  std::string blob(sizeof size + size, '\0');
  std::memcpy(blob.data(), &size, sizeof size);
  std::memcpy(blob.data() + sizeof size, units.data(), size);
  return blob + replacements;
}

TEST(PrecompiledMap, ReplacesTheShortestBeginning) {
  const PrecompiledMap map(map_of({{'a', 0}, {'b', 2}, {0xC3, 5}}, std::string("x\0yz\0\0", 6)),
                           "test");
  EXPECT_EQ(map.replacement("a"), "x");
  EXPECT_EQ(map.replacement("ab"), "x");
  EXPECT_EQ(map.replacement("b"), "yz");
  EXPECT_EQ(map.replacement("\u00e9"), "");
  EXPECT_EQ(map.replacement("c"), std::nullopt);
  EXPECT_EQ(map.replacement(""), std::nullopt);
  EXPECT_EQ(map.replacement(std::string_view("\0", 1)), std::nullopt);
}

TEST(PrecompiledMap, DamagedOnesAreRefused) {
  const auto good = map_of({{'a', 0}}, std::string("x\0", 2));
  EXPECT_NO_THROW(PrecompiledMap(good, "test"));
  const auto with_unit = [&good](std::size_t unit, std::uint32_t value) {
    auto changed = good;
    std::memcpy(changed.data() + 4 + 4 * unit, &value, sizeof value);
    return changed;
  };
  const std::vector<std::string> bad{
      "",
      "abc",
      good.substr(0, 3000),                                   // cut within the trie
      std::string("\xFF\xFF\xFF\xFF", 4) + good.substr(4),    // a larger trie than the file
      std::string("\0\0\0\0", 4),                             // no unit at all
      good + "\xFF",                                          // replacements that are not UTF-8
      with_unit(0, 0xFFFFFFU << 10U),                         // the root leads outside
      with_unit(256 ^ 'a', 0x1FFFFFU << 10U | 0x100U | 'a'),  // a child leads outside
      with_unit(512 + 'a', 0x7FFFFFFF),                       // a value outside
      map_of({{'a', 1}}, "\u00e9"),                           // a value amid a character
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto message =
        testing::refusal([&] { PrecompiledMap(bad[i], "file.json"); }, std::to_string(i));
    EXPECT_THAT(message, HasSubstr("file.json: ")) << i;
    EXPECT_THAT(message, HasSubstr("map")) << i;
  }
  // Places that lead to themselves end with the text.
  const PrecompiledMap cycle(with_unit(256 ^ 'a', 0U << 10U | 'a'), "test");
  EXPECT_EQ(cycle.replacement("aaaaaaaa"), std::nullopt);
}

// --- files

Json small_json() {
  return Json::parse(R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[
    {"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
    {"id":7,"content":"<mask>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true}],
    "normalizer":{"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKC"},
      {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Strip","strip_left":false,"strip_right":true}]},
    "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
      {"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true}]},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
      "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":0}}],
      "special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}},
    "decoder":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true},
    "model":{"type":"Unigram","unk_id":3,"vocab":[["<s>",0.0],["<pad>",0.0],["</s>",0.0],["<unk>",0.0],
      ["\u2581",-2.5],["\u2581hello",-4.25],["a",-3],["<mask>",0.0]],"byte_fallback":false}})");
}

const Json kClass{{"tokenizer_class", "PreTrainedTokenizerFast"}};

TEST(UnigramFiles, ASmallOneWorks) {
  const auto tokenizer = Tokenizer::from_json(small_json().dump(), kClass.dump());
  const auto encoding = tokenizer.encode("hello a\u5b57\u5b57  <mask>");
  EXPECT_THAT(encoding.ids, ElementsAre(0, 5, 4, 6, 3, 7, 2));
  EXPECT_THAT(encoding.tokens,
              ElementsAre("<s>", "\u2581hello", "\u2581", "a", "\u5b57\u5b57", "  <mask>", "</s>"));
  EXPECT_EQ(tokenizer.decode(encoding.ids, true), "hello a");
  EXPECT_EQ(tokenizer.unk_token_id(), 3);
  EXPECT_EQ(tokenizer.pad_token_id(), 1);
  EXPECT_EQ(tokenizer.mask_token_id(), 7);
  EXPECT_FALSE(tokenizer.do_lower_case());
}

TEST(UnigramFiles, AnyWrongValueIsRefusedOrHarmless) {
  testing::for_each_wrong(small_json(), [](const std::string& text) {
    static_cast<void>(testing::refuses(
        [&] {
          const auto tokenizer = Tokenizer::from_json(text, kClass.dump());
          const auto encoding = tokenizer.encode("hello a\u5b57  <mask>", "x");
          static_cast<void>(tokenizer.decode(encoding.ids));
          static_cast<void>(Tokenizer::from_json(tokenizer.to_json(), tokenizer.config_to_json()));
        },
        text.substr(0, 300)));
  });
}

// What reading the file with a change says.
std::string unigram_complaint(const std::string& pointer, const Json& value,
                              const Json& config = kClass) {
  auto json = small_json();
  json[Json::json_pointer(pointer)] = value;
  return testing::refusal(
      [&] { static_cast<void>(Tokenizer::from_json(json.dump(), config.dump())); }, pointer);
}

TEST(UnigramFiles, WhatIsWrongIsNamed) {
  EXPECT_THAT(unigram_complaint("/model/vocab", Json::object({{"a", 1}})),
              HasSubstr("no array of pairs"));
  EXPECT_THAT(unigram_complaint("/model/vocab", Json::array()), HasSubstr("no array of pairs"));
  EXPECT_THAT(unigram_complaint("/model/vocab/4", "x"), HasSubstr("no '['"));
  EXPECT_THAT(unigram_complaint("/model/vocab/4", Json::array({"x"})),
              HasSubstr("piece 4 has no text and score"));
  EXPECT_THAT(unigram_complaint("/model/vocab/4", Json::array({"x", -1, 2})),
              HasSubstr("piece 4 has more than"));
  EXPECT_THAT(unigram_complaint("/model/vocab/4/1", nullptr), HasSubstr("no number"));
  EXPECT_THAT(unigram_complaint("/model/vocab/4/0", "a"),
              HasSubstr("piece \"a\" is in the vocabulary twice"));
  EXPECT_THAT(unigram_complaint("/model/unk_id", nullptr), HasSubstr("no \"unk_id\""));
  EXPECT_THAT(unigram_complaint("/model/unk_id", 8),
              HasSubstr("unknown piece has id 8, but there are 8 pieces"));
  EXPECT_THAT(unigram_complaint("/model/type", "BPE"), HasSubstr("the model is BPE"));
  EXPECT_THAT(unigram_complaint("/normalizer", Json{{"type", "NFD"}}),
              HasSubstr("normalizer is \"NFD\""));
  EXPECT_THAT(unigram_complaint("/normalizer/normalizers/2/pattern", Json{{"Regex", "x+"}}),
              HasSubstr("regular expression \"x+\""));
  EXPECT_THAT(unigram_complaint("/normalizer/normalizers/2/pattern", Json{{"String", ""}}),
              HasSubstr("empty pattern"));
  EXPECT_THAT(unigram_complaint("/normalizer",
                                Json{{"type", "Precompiled"}, {"precompiled_charsmap", "?"}}),
              HasSubstr("not base64"));
  EXPECT_THAT(unigram_complaint("/normalizer",
                                Json{{"type", "Precompiled"}, {"precompiled_charsmap", "AAAA"}}),
              HasSubstr("character map has 3 bytes"));
  EXPECT_THAT(unigram_complaint("/pre_tokenizer", Json{{"type", "ByteLevel"}}),
              HasSubstr("pre-tokenizer has ByteLevel"));
  EXPECT_THAT(unigram_complaint("/pre_tokenizer/pretokenizers/1/replacement", "ab"),
              HasSubstr("one character"));
  EXPECT_THAT(unigram_complaint("/pre_tokenizer/pretokenizers/1/prepend_scheme", "last"),
              HasSubstr("always, first or never"));
  EXPECT_THAT(unigram_complaint("/pre_tokenizer/pretokenizers/1/add_prefix_space", false),
              HasSubstr("contradict"));
  EXPECT_THAT(unigram_complaint("/decoder", Json{{"type", "ByteFallback"}}),
              HasSubstr("decoder has ByteFallback"));
  EXPECT_THAT(unigram_complaint("/version", "1.0", Json{{"tokenizer_class", "BertTokenizer"}}),
              HasSubstr("the model is Unigram, but the tokenizer is a BertTokenizer"));
  EXPECT_THAT(unigram_complaint("/version", "1.0", Json{{"tokenizer_class", "T5Tokenizer"}}),
              HasSubstr("T5Tokenizer"));
  EXPECT_THAT(testing::refusal(
                  [] {
                    static_cast<void>(Tokenizer::from_json(small_json().dump(), kClass.dump(),
                                                           TokenizerMode::google));
                  },
                  "google"),
              HasSubstr("mode google"));
  auto out_of_range = small_json().dump();
  out_of_range.replace(out_of_range.find("-4.25"), 5, "-1e999");
  EXPECT_THAT(
      testing::refusal(
          [&] { static_cast<void>(Tokenizer::from_json(out_of_range, kClass.dump())); }, "-1e999"),
      HasSubstr("score -1e999 of piece 5 is out of range"));
}

TEST(UnigramFiles, OldMetaspaceFieldsAreRead) {
  auto json = small_json();
  json["pre_tokenizer"] =
      Json{{"type", "Metaspace"}, {"replacement", "\u2581"}, {"add_prefix_space", false}};
  EXPECT_THAT(Tokenizer::from_json(json.dump(), kClass.dump()).encode("a a").ids,
              ElementsAre(0, 6, 4, 6, 2));
  json["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_THAT(Tokenizer::from_json(json.dump(), kClass.dump()).encode("a a").ids,
              ElementsAre(0, 4, 6, 4, 6, 2));
}

// XLMRobertaTokenizer takes the pieces and the character map, and builds the rest.
TEST(UnigramFiles, XlmRobertaTokenizerBuildsItsOwnPipeline) {
  auto json = small_json();
  json["normalizer"] = Json{{"type", "NFD"}};
  json["pre_tokenizer"] = nullptr;
  json["post_processor"] = nullptr;
  json["decoder"] = nullptr;
  Json config{{"tokenizer_class", "XLMRobertaTokenizerFast"}};
  const auto tokenizer = Tokenizer::from_json(json.dump(), config.dump());
  const auto encoding = tokenizer.encode("hello a", "a");
  EXPECT_THAT(encoding.ids, ElementsAre(0, 5, 4, 6, 2, 2, 4, 6, 2));
  EXPECT_THAT(encoding.type_ids, ::testing::Each(0));
  EXPECT_THAT(tokenizer.config_to_json(),
              HasSubstr("\"tokenizer_class\": \"XLMRobertaTokenizer\""));
  config["add_prefix_space"] = false;
  EXPECT_THAT(Tokenizer::from_json(json.dump(), config.dump()).encode("a").ids,
              ElementsAre(0, 6, 2));
}

// What the two read decides between cuts that are as good as one another: tokenizers 0.23.3 and
// transformers 5.24 give these ids.
TEST(UnigramFiles, TiesAreCutByTheScoresThatTheClassReads) {
  auto json = small_json();
  json["model"]["vocab"] = Json::parse(
      R"([["<s>",0.0],["<pad>",0.0],["</s>",0.0],["<unk>",0.0],["\u2581p",-11.707466125488281],
          ["\u2581q",-5.982580184936523],["1",-8.023615837097168],["<mask>",0.0],
          ["11",-11.997261047363281]])");
  const auto file = Tokenizer::from_json(json.dump(), kClass.dump());
  EXPECT_THAT(file.encode("p111 q111").ids, ElementsAre(0, 4, 8, 6, 5, 6, 8, 2));
  const Json config{{"tokenizer_class", "XLMRobertaTokenizer"}};
  const auto xlm_roberta = Tokenizer::from_json(json.dump(), config.dump());
  EXPECT_THAT(xlm_roberta.encode("p111 q111").ids, ElementsAre(0, 4, 6, 8, 5, 6, 8, 2));
}

// --- SentencePiece models

class SentencePieceFolder {
 public:
  SentencePieceFolder() {
    folder_.write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  }
  std::string complaint(const std::string& model) {
    folder_.write("sentencepiece.bpe.model", model);
    return testing::refusal(
        [this] {
          const auto tokenizer = Tokenizer::from_pretrained(folder_.path());
          static_cast<void>(tokenizer.encode("hello a\u5b57"));
        },
        "a model of " + std::to_string(model.size()) + " bytes", testing::kLongestWithPath);
  }

 private:
  testing::TempDirectory folder_;
};

TEST(SentencePieceFiles, DamagedOnesAreRefusedOrHarmless) {
  const auto model = files::read_text(kUnigramFolder / "sentencepiece/sentencepiece.bpe.model");
  SentencePieceFolder folder;
  EXPECT_EQ(folder.complaint(model), "");
  EXPECT_THAT(folder.complaint(""), HasSubstr("has 0 pieces"));
  EXPECT_THAT(folder.complaint("no model at all"), HasSubstr("no SentencePiece model"));
  for (std::size_t size = 0; size < model.size(); size += 97)
    folder.complaint(model.substr(0, size));
  std::mt19937 random(4);
  for (int i = 0; i < 500; ++i) {
    auto changed = model;
    for (auto k = 1 + random() % 3; k > 0; --k)
      changed[random() % changed.size()] = static_cast<char>(random());
    folder.complaint(changed);
  }
}

// A message of pieces, written by hand: field 1, each with a text (1) and a score (2).
std::string model_of(const std::vector<std::pair<std::string, float>>& pieces,
                     const std::string& more = "") {
  std::string model;
  for (const auto& [text, score] : pieces) {
    std::string piece = "\x0A" + std::string(1, static_cast<char>(text.size())) + text + "\x15";
    piece.append(reinterpret_cast<const char*>(&score), sizeof score);
    model += "\x0A" + std::string(1, static_cast<char>(piece.size())) + piece;
  }
  return model + more;
}

TEST(SentencePieceFiles, WhatIsWrongIsNamed) {
  SentencePieceFolder folder;
  const std::vector<std::pair<std::string, float>> first{
      {"<unk>", 0.F}, {"<s>", 0.F}, {"</s>", 0.F}};
  const auto with = [&first](const std::string& piece, float score, const std::string& more = "") {
    auto pieces = first;
    pieces.emplace_back("a", -1.F);
    pieces.emplace_back(piece, score);
    return model_of(pieces, more);
  };
  EXPECT_EQ(folder.complaint(with("b", -2.F)), "");
  EXPECT_THAT(folder.complaint(model_of(first)), HasSubstr("has 3 pieces"));
  EXPECT_THAT(folder.complaint(with("b", std::numeric_limits<float>::quiet_NaN())),
              HasSubstr("score of piece \"b\" is nan"));
  EXPECT_THAT(folder.complaint(with("b", std::numeric_limits<float>::infinity())),
              HasSubstr("score of piece \"b\" is inf"));
  EXPECT_THAT(folder.complaint(with("a", -2.F)), HasSubstr("piece \"a\" is there twice"));
  EXPECT_THAT(folder.complaint(with("\xFF", -2.F)), HasSubstr("not UTF-8"));
  EXPECT_THAT(folder.complaint(with("b", -2.F, std::string("\x12\x02\x18\x02", 4))),
              HasSubstr("of type 2, BPE"));
  EXPECT_THAT(folder.complaint(with("b", -2.F, std::string("\x1A\x03\x12\x01x", 5))),
              HasSubstr("character map has 1 bytes"));
}

TEST(SentencePieceFiles, AMissingOneIsNamed) {
  testing::TempDirectory folder;
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  EXPECT_THAT(
      testing::refusal([&] { static_cast<void>(Tokenizer::from_pretrained(folder.path())); },
                       "none", testing::kLongestWithPath),
      HasSubstr("sentencepiece.bpe.model"));
}

// --- long texts, which are worked on in parts

TEST(UnigramSegmenter, PartsAreTheWhole) {
  std::mt19937 random(6);
  const std::vector<std::string> words{"hello",   "a",      "the", "dog",    "\u5b57",
                                       "e\u0301", "\u3000", " ",   "\u00ad", "x1"};
  for (const auto* name : {"split", "metaspace", "first", "whole", "bytes", "plain"}) {
    const auto tokenizer = Tokenizer::from_pretrained(kUnigramFolder / name);
    for (const bool shifted : {false, true}) {
      std::string text = shifted ? "\x01" : "";
      while (text.size() < 60'000)
        text += words[random() % words.size()] + (random() % 4 == 0 ? "" : " ");
      const auto long_one = tokenizer.encode(text, {.add_special_tokens = false});
      // As an added token in front has it: what follows is the same but for the first word's space.
      EXPECT_EQ(tokenizer.count_tokens(text) - 2, static_cast<std::int64_t>(long_one.ids.size()));
      Batch batch;
      tokenizer.append_to(batch, text, {.add_special_tokens = false});
      EXPECT_EQ(batch.input_ids, long_one.ids);
      const EncodeOptions few{
          .truncation = Truncation::longest_first, .max_length = 5000, .overflowing = false};
      const auto kept = tokenizer.encode(text, few);
      ASSERT_EQ(kept.ids.size(), 5000U);
      for (std::size_t i = 1; i + 1 < kept.ids.size(); ++i) {
        ASSERT_EQ(kept.ids[i], long_one.ids[i - 1]);
        ASSERT_EQ(kept.offsets[i], long_one.offsets[i - 1]);
        ASSERT_EQ(kept.word_ids[i], long_one.word_ids[i - 1]);
      }
    }
  }
}

}  // namespace
}  // namespace cloze::text
