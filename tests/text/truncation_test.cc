// A text that is cut is read only as far as it is kept: the tokens are those of the whole text, cut.
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cloze/tokenizer.h"

namespace cloze {
namespace {

/// What texts are made of: words in and out of the vocabulary, characters that are composed,
/// reordered, dropped or a word by themselves, white space of all kinds, bytes that are not UTF-8, and
/// added tokens.
constexpr std::array<std::string_view, 34> kParts{
    "a",      "hello",   "world",       "HeLLo",         "unaffable", "ΑΣ",    "ΣΑΣ",
    "é",      "e\u0301", "\u0301",      "A\u030A\u0327", "\u0903",    "東",    "京東",
    "\u200D", "\x01",    "\xFF",        "\xE6\x9D",      "\xC3",      "!",     "a-b",
    "[MASK]", "[mask]",  "<left>",      "<right>",       "single",    "Wide",  "\u1100\u1161",
    "각",     "123",     "qqqqqqqqqqq", "\u00A0",        "x\u0345",   "\u3000"};
constexpr std::array<std::string_view, 6> kSpaces{" ", " ", "\n", "  ", "\t", ""};

std::string random_line(std::mt19937& random, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    text += kParts[random() % kParts.size()];
    text += kSpaces[random() % kSpaces.size()];
  }
  return text;
}

/// `lstrip_of` is a token that takes the white space before it.
std::string tokenizer_json(std::string_view lstrip_of, bool normalized) {
  std::string vocab, added;
  int id = 0;
  for (const auto* token :
       {"[PAD]",  "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "hello", "world", "un",  "##aff",
        "##able", "b",     "e",     "##a",   "##e",    "σ", "##σ",   "ς",     "##ς", "α",
        "東",     "京",    "1",     "##2",   "##3",    "!", "-",     "##b",   "q",   "##q",
        "wide",   "left",  "right", "<",     ">",      "[", "]",     "mask",  "ᄀ",  "##ᅡ"}) {
    vocab += fmt::format("{}\"{}\":{}", id == 0 ? "" : ",", token, id);
    ++id;
  }
  const auto add = [&](std::string_view content, bool single, bool rstrip, bool as_normalized) {
    added += fmt::format(
        R"({}{{"id":{},"content":"{}","single_word":{},"lstrip":{},"rstrip":{},"normalized":{},"special":false}})",
        added.empty() ? "" : ",", content == "[MASK]" ? 4 : id++, content, single,
        content == lstrip_of, rstrip, as_normalized);
  };
  add("[MASK]", false, false, false);
  add("<left>", false, false, false);
  add("<right>", false, true, false);
  add("single", true, false, false);
  add("Wide", false, false, normalized);
  return fmt::format(
      R"({{"added_tokens":[{}],"normalizer":{{"type":"BertNormalizer","clean_text":true,)"
      R"("handle_chinese_chars":true,"strip_accents":null,"lowercase":true}},)"
      R"("pre_tokenizer":{{"type":"BertPreTokenizer"}},"post_processor":{{"type":"BertProcessing",)"
      R"("sep":["[SEP]",3],"cls":["[CLS]",2]}},"model":{{"type":"WordPiece","unk_token":"[UNK]",)"
      R"("continuing_subword_prefix":"##","max_input_chars_per_word":10,"vocab":{{{}}}}}}})",
      added, vocab);
}

std::vector<Tokenizer> tokenizers() {
  std::vector<Tokenizer> all;
  for (const auto* lstrip : {"", "<left>", "single"}) {
    for (const bool normalized : {false, true}) {
      all.push_back(Tokenizer::from_json(tokenizer_json(lstrip, normalized)));
    }
  }
  all.push_back(Tokenizer::from_json(tokenizer_json("", false), {}, TokenizerMode::google));
  return all;
}

void expect_same(Encoding whole, const Encoding& cut) {
  whole.overflowing.clear();
  ASSERT_EQ(whole.ids, cut.ids);
  EXPECT_EQ(whole.tokens, cut.tokens);
  EXPECT_EQ(whole.type_ids, cut.type_ids);
  EXPECT_EQ(whole.word_ids, cut.word_ids);
  EXPECT_EQ(whole.sequence_ids, cut.sequence_ids);
  ASSERT_EQ(whole.offsets.size(), cut.offsets.size());
  for (std::size_t i = 0; i < whole.offsets.size(); ++i) {
    ASSERT_EQ(whole.offsets[i].begin, cut.offsets[i].begin) << i;
    ASSERT_EQ(whole.offsets[i].end, cut.offsets[i].end) << i;
  }
  EXPECT_TRUE(cut.overflowing.empty());
}

TEST(Truncation, OfATextIsThatOfItsWholeEncoding) {
  std::mt19937 random(1);
  for (const auto& tokenizer : tokenizers()) {
    const auto text = random_line(random, 150'000);
    for (const auto unit : {OffsetUnit::code_points, OffsetUnit::bytes}) {
      for (const int limit : {130, 30'000, 50'000, 1'000'000}) {
        EncodeOptions options{
            .truncation = Truncation::longest_first, .max_length = limit, .offsets = unit};
        const auto whole = tokenizer.encode(text, options);
        options.overflowing = false;
        expect_same(whole, tokenizer.encode(text, options));
        Batch batch;
        Alignment alignment;
        tokenizer.append_to(batch, alignment, text, options);
        EXPECT_EQ(batch.input_ids, whole.ids);
        EXPECT_EQ(alignment.word_ids, whole.word_ids);
      }
    }
    EXPECT_EQ(tokenizer.count_tokens(text), tokenizer(text).total_tokens());
  }
}

TEST(Truncation, OfAPairIsThatOfItsWholeEncoding) {
  std::mt19937 random(2);
  const auto tokenizer = Tokenizer::from_json(tokenizer_json("<left>", true));
  // The windows that are cut off, of which the whole encoding has all pairs, must stay few.
  for (const std::size_t first : {5, 50, 70'000, 200'000}) {
    for (const std::size_t second : {5, 60, 80'000, 200'000}) {
      const auto text = random_line(random, first), pair = random_line(random, second);
      const bool brief = first < 100 && second < 100;
      for (const int limit : brief ? std::vector{3, 4, 5, 6, 7, 16, 17, 18, 40}
                                   : std::vector{60'000, 60'001, 90'000, 200'000}) {
        EncodeOptions options{.truncation = Truncation::longest_first, .max_length = limit};
        const auto whole = tokenizer.encode(text, pair, options);
        options.overflowing = false;
        expect_same(whole, tokenizer.encode(text, pair, options));
        Batch batch;
        tokenizer.append_to(batch, text, pair, options);
        EXPECT_EQ(batch.input_ids, whole.ids);
        EXPECT_EQ(batch.token_type_ids, whole.type_ids);
      }
      EXPECT_EQ(tokenizer.count_tokens(text, pair), tokenizer(text, pair).total_tokens());
    }
  }
}

// What is cut at the begin of a text: the rest is the end of the whole.
TEST(Truncation, AtTheLeftKeepsTheEnd) {
  std::mt19937 random(3);
  for (const auto& tokenizer : tokenizers()) {
    const auto text = random_line(random, 4'000), pair = random_line(random, 3'000);
    const auto whole = tokenizer.encode(text);
    const auto both = tokenizer.encode(text, pair);
    for (const int limit : {2, 3, 17, 100, 301, 100'000}) {
      EncodeOptions options{.truncation = Truncation::longest_first,
                            .max_length = limit,
                            .truncation_side = Side::left};
      const auto cut = tokenizer.encode(text, options);
      const auto kept = std::min<std::size_t>(static_cast<std::size_t>(limit), whole.ids.size());
      ASSERT_EQ(cut.ids.size(), kept);
      for (std::size_t i = 1; i < kept; ++i) {
        const auto at = whole.ids.size() - kept + i;
        ASSERT_EQ(cut.ids[i], whole.ids[at]);
        ASSERT_EQ(cut.tokens[i], whole.tokens[at]);
        ASSERT_EQ(cut.word_ids[i], whole.word_ids[at]);
        ASSERT_EQ(cut.offsets[i], whole.offsets[at]);
      }
      EXPECT_EQ(cut.ids.front(), whole.ids.front());  // [CLS]
      options.overflowing = false;
      expect_same(cut, tokenizer.encode(text, options));
      Batch batch;
      Alignment alignment;
      tokenizer.append_to(batch, alignment, text, options);
      EXPECT_EQ(batch.input_ids, cut.ids);
      EXPECT_EQ(batch.token_type_ids, cut.type_ids);
      EXPECT_EQ(alignment.word_ids, cut.word_ids);
      EXPECT_EQ(alignment.offsets, cut.offsets);
      if (limit < 3) continue;
      const auto pairs = tokenizer.encode(text, pair, options);
      EXPECT_EQ(pairs.ids.size(),
                std::min<std::size_t>(static_cast<std::size_t>(limit), both.ids.size()));
      if (limit >= 17) {
        EXPECT_EQ(pairs.offsets[pairs.offsets.size() - 2], both.offsets[both.offsets.size() - 2]);
      }
      Batch of_pair;
      Alignment aligned;
      tokenizer.append_to(of_pair, aligned, text, pair, options);
      EXPECT_EQ(of_pair.input_ids, pairs.ids);
      EXPECT_EQ(of_pair.token_type_ids, pairs.type_ids);
      EXPECT_EQ(aligned.offsets, pairs.offsets);
    }
  }
}

// As tokenizers has them: each ends a stride after the begin of the one before, the last begins the text.
TEST(Truncation, WindowsFromTheLeftGoBackwards) {
  const auto tokenizer = Tokenizer::from_json(tokenizer_json("", false));
  const EncodeOptions options{.add_special_tokens = false,
                              .truncation = Truncation::longest_first,
                              .max_length = 3,
                              .stride = 1,
                              .truncation_side = Side::left};
  const auto found = tokenizer.encode("a b e q hello world", options);
  EXPECT_EQ(found.tokens, (std::vector<std::string>{"q", "hello", "world"}));
  ASSERT_EQ(found.overflowing.size(), 2U);
  EXPECT_EQ(found.overflowing[0].tokens, (std::vector<std::string>{"b", "e", "q"}));
  EXPECT_EQ(found.overflowing[1].tokens, (std::vector<std::string>{"a", "b"}));
}

// Texts without a place to part them.
TEST(Truncation, OfATextWithoutSpaces) {
  const auto tokenizer = Tokenizer::from_json(tokenizer_json("", true));
  for (const std::string_view part : {"東", "\x01", "q", "\xFF", " !"}) {
    std::string text;
    while (text.size() < 200'000) text += part;
    EncodeOptions options{.truncation = Truncation::longest_first, .max_length = 20};
    const auto whole = tokenizer.encode(text, options);
    options.overflowing = false;
    expect_same(whole, tokenizer.encode(text, options));
    EXPECT_EQ(tokenizer.count_tokens(text), tokenizer(text).total_tokens());
  }
}

}  // namespace
}  // namespace cloze
