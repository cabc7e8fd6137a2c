// The one-pass segmenter against normalization stage by stage (normalized_text.h).
#include "text/wordpiece/segmenter.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/utf8.h"
#include "text/normalize/normalized_text.h"

namespace cloze::text {
namespace {

struct Result {
  std::vector<std::int32_t> ids;
  std::vector<Span> offsets;
  std::vector<std::int32_t> words;
  friend bool operator==(const Result&, const Result&) = default;
};

Vocabulary small_vocabulary() {
  Vocabulary vocabulary;
  std::int32_t id = 0;
  vocabulary.add("[UNK]", id++);
  for (char32_t cp = 33; cp < 0x3000; ++cp) {
    if (cp % 3 == 0) continue;  // so that some words are unknown
    char bytes[4];
    const std::string character(bytes, static_cast<std::size_t>(utf8::encode(cp, bytes)));
    vocabulary.add(character, id++);
    vocabulary.add("##" + character, id++);
  }
  for (const auto* token : {"the", "##ing", "walk", "##alking", "abcdefghijklmnopqrstuvwxyz",
                            "##abcdefghijklmnopqrstu", "été", "##été", "при", "##вет", "привет"}) {
    vocabulary.add(token, id++);
  }
  return vocabulary;
}

std::string random_text(std::mt19937& random) {
  const auto any = [&random](char32_t from, char32_t to) {
    return std::uniform_int_distribution<char32_t>(from, to)(random);
  };
  static constexpr std::array<std::pair<char32_t, char32_t>, 14> kRanges{{{0, 0x7F},
                                                                          {'a', 'z'},
                                                                          {'a', 'c'},
                                                                          {' ', ' '},
                                                                          {0x80, 0x24F},
                                                                          {0x300, 0x36F},
                                                                          {0x370, 0x5FF},
                                                                          {0x900, 0xDFF},
                                                                          {0x1100, 0x11FF},
                                                                          {0x2000, 0x2070},
                                                                          {0xAC00, 0xD7A3},
                                                                          {0x4E00, 0x4E20},
                                                                          {0x1D150, 0x1D170},
                                                                          {0x302A, 0x302F}}};
  std::string text;
  for (auto runs = any(0, 12); runs > 0; --runs) {
    const auto [from, to] = any(0, 20) == 0 ? std::pair<char32_t, char32_t>{0xE000, 0x10FFFF}
                                            : kRanges.at(any(0, kRanges.size() - 1));
    for (auto n = any(0, 40) == 0 ? any(0, 2000) : any(0, 8); n > 0; --n) {
      char bytes[4];
      text.append(bytes, static_cast<std::size_t>(utf8::encode(any(from, to), bytes)));
    }
  }
  return text;
}

TEST(Segmenter, AgreesWithNormalizationStageByStage) {
  std::mt19937 random(20240607);
  for (unsigned switches = 0; switches < 16; ++switches) {
    const NormalizerRules rules{.clean_text = (switches & 1U) != 0,
                                .handle_chinese_chars = (switches & 2U) != 0,
                                .strip_accents = (switches & 4U) != 0,
                                .lowercase = (switches & 8U) != 0};
    const WordPieceModel model(small_vocabulary(), rules, 0, 100);
    for (int i = 0; i < 1500; ++i) {
      const auto text = random_text(random);
      const auto unit = i % 2 == 0 ? OffsetUnit::code_points : OffsetUnit::bytes;
      Result fast;
      PieceSink fast_sink{&fast.ids, &fast.offsets, &fast.words};
      segment(model, text, 7, unit, fast_sink);
      Result plain;
      PieceSink plain_sink{&plain.ids, &plain.offsets, &plain.words};
      const auto normalized = normalize(model.actions, text, 7, unit);
      segment_normalized(model, normalized, 0, normalized.bytes.size(), plain_sink);
      ASSERT_EQ(fast.ids, plain.ids) << switches << ": " << ::testing::PrintToString(text);
      ASSERT_TRUE(fast == plain) << switches << ": " << ::testing::PrintToString(text);
      std::vector<std::int32_t> ids;
      PieceSink ids_sink{&ids};
      segment(model, text, 7, unit, ids_sink);
      ASSERT_EQ(ids, fast.ids);
    }
  }
}

TEST(Segmenter, AppendsToWhatIsThere) {
  const WordPieceModel model(small_vocabulary(), {}, 0, 100);
  Result result{{5}, {{1, 2}}, {3}};
  PieceSink sink{&result.ids, &result.offsets, &result.words};
  segment(model, "the walking", 0, OffsetUnit::code_points, sink);
  EXPECT_EQ(result.ids.size(), 4U);
  EXPECT_EQ(result.ids.front(), 5);
  EXPECT_EQ(result.words, (std::vector<std::int32_t>{3, 0, 1, 1}));
}

TEST(Segmenter, StopsSoonAfterTheLimit) {
  const WordPieceModel model(small_vocabulary(), {}, 0, 100);
  for (const std::string word : {"the ", "привет ", "东"}) {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += word;
    std::vector<std::int32_t> ids;
    PieceSink sink{.ids = &ids, .limit = 100};
    segment(model, text, 0, OffsetUnit::bytes, sink);
    EXPECT_GE(ids.size(), 100U);
    EXPECT_LT(ids.size(), 2000U);
  }
}

}  // namespace
}  // namespace cloze::text
