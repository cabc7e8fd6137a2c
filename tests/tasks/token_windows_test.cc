// Each word is predicted once, at its first token, with its own document around it.
#include "tasks/token_windows.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tasks/task_test_tools.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using testing::TaskTest;
using Sentence = std::vector<std::string_view>;

class TokenWindowsTest : public TaskTest {
 protected:
  static std::vector<std::int32_t> ids(const TokenWindows& windows, std::size_t window) {
    Batch batch;
    windows.append_to(batch, window);
    EXPECT_EQ(batch.total_tokens(), windows.length(window));
    return batch.input_ids;
  }
  /// The words that count in a window, in order.
  static std::vector<std::int64_t> words(const TokenWindows& windows, std::size_t window) {
    auto found = windows.counted_words(window);
    std::erase(found, -1);
    return found;
  }
  static std::int32_t first_id(std::string_view word) { return tokenizer()(word).input_ids[1]; }
};

TEST_F(TokenWindowsTest, ALongSentenceIsReadInWindowsThatCountTheirMiddle) {
  TokenWindows windows(tokenizer(), {.max_length = 10, .stride = 4});
  windows.add_sentence(Sentence(20, "a"));
  windows.finish();
  ASSERT_EQ(windows.size(), 4U);
  EXPECT_EQ(windows.split_sentences(), 1);
  EXPECT_THAT(words(windows, 0), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(words(windows, 1), ElementsAre(6, 7, 8, 9));  // of tokens 4 to 11
  EXPECT_THAT(words(windows, 2), ElementsAre(10, 11, 12, 13));
  EXPECT_THAT(words(windows, 3), ElementsAre(14, 15, 16, 17, 18, 19));
  EXPECT_EQ(windows.counted_words(1)[3], 6);  // [CLS] and two shared tokens before it
}

TEST_F(TokenWindowsTest, AWordThatASeamCutsIsPredictedAtItsFirstToken) {
  // "dogs" is dog ##s: every seam falls within some word for some sentence.
  for (std::size_t before = 0; before < 6; ++before) {
    Sentence sentence(before, "a");
    for (int i = 0; i < 12; ++i) sentence.insert(sentence.end(), {"dogs", "b"});
    TokenWindows windows(tokenizer(), {.max_length = 11, .stride = 4});
    windows.add_sentence(sentence);
    windows.finish();
    std::vector<int> counted(sentence.size());
    for (std::size_t w = 0; w < windows.size(); ++w) {
      const auto tokens = ids(windows, w);
      const auto marks = windows.counted_words(w);
      for (std::size_t t = 0; t < marks.size(); ++t) {
        if (marks[t] < 0) continue;
        const auto word = static_cast<std::size_t>(marks[t]);
        ++counted[word];
        EXPECT_EQ(tokens[t], first_id(sentence[word]));
      }
    }
    EXPECT_THAT(counted, ::testing::Each(1));
  }
}

TEST_F(TokenWindowsTest, NeighboursOfADocumentFillTheWindowAndAreNotPredicted) {
  TokenWindows windows(tokenizer(), {.max_length = 8, .document_context = true});
  windows.add_sentence(Sentence{"a", "a"});
  windows.add_sentence(Sentence{"b", "b"});
  windows.add_sentence(Sentence{"c", "c"});
  windows.end_document();
  windows.add_sentence(Sentence{"d"});
  windows.finish();
  ASSERT_EQ(windows.size(), 4U);
  const auto a = first_id("a"), b = first_id("b"), c = first_id("c"), d = first_id("d");
  const auto cls = tokenizer().cls_token_id(), sep = tokenizer().sep_token_id();
  EXPECT_THAT(ids(windows, 0), ElementsAre(cls, a, a, b, b, c, c, sep));
  EXPECT_THAT(ids(windows, 1), ElementsAre(cls, a, a, b, b, c, c, sep));
  EXPECT_THAT(ids(windows, 3), ElementsAre(cls, d, sep));  // another document
  EXPECT_THAT(windows.counted_words(1), ElementsAre(-1, -1, -1, 2, 3, -1, -1, -1));
  EXPECT_THAT(words(windows, 3), ElementsAre(6));
}

TEST_F(TokenWindowsTest, HoldsForAnyTexts) {
  std::mt19937 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  // Each document has a letter of its own, so that a stranger in a window shows.
  for (int round = 0; round < 60; ++round) {
    const WindowOptions options{
        .max_length = 8 + below(24), .stride = below(12), .document_context = below(2) == 1};
    TokenWindows windows(tokenizer(), options);
    std::vector<std::string> all;  // the first letter of every word is its document's
    std::size_t without_tokens = 0;
    for (int document = 0; document < 4; ++document) {
      for (int sentence = below(5); sentence > 0; --sentence) {
        std::vector<std::string> own;
        for (int word = below(40); word > 0; --word) {
          const int kind = below(12);
          std::string text(1, static_cast<char>('e' + document));
          if (kind < 3) text += "ab";            // several tokens
          if (kind == 3) text = "\xE2\x80\x8B";  // U+200B: no token at all
          without_tokens += kind == 3 ? 1 : 0;
          own.push_back(text);
        }
        windows.add_sentence(Sentence(own.begin(), own.end()));
        all.insert(all.end(), own.begin(), own.end());
      }
      windows.end_document();
    }
    windows.finish();
    EXPECT_EQ(windows.words(), static_cast<std::int64_t>(all.size()));
    std::vector<int> counted(all.size());
    for (std::size_t w = 0; w < windows.size(); ++w) {
      const auto tokens = ids(windows, w);
      ASSERT_LE(static_cast<std::int64_t>(tokens.size()), options.max_length);
      EXPECT_EQ(tokens.front(), tokenizer().cls_token_id());
      EXPECT_EQ(tokens.back(), tokenizer().sep_token_id());
      const auto marks = windows.counted_words(w);
      ASSERT_EQ(marks.size(), tokens.size());
      char document = 0;
      for (std::size_t t = 0; t < marks.size(); ++t) {
        if (marks[t] < 0) continue;
        const auto& word = all[static_cast<std::size_t>(marks[t])];
        ++counted[static_cast<std::size_t>(marks[t])];
        EXPECT_EQ(tokens[t], first_id(word));
        document = word[0];
      }
      ASSERT_NE(document, 0);  // a window without a word to predict would be for nothing
      for (char other = 'e'; other < 'e' + 4; ++other) {
        if (other == document) continue;
        EXPECT_EQ(std::count(tokens.begin(), tokens.end(), first_id(std::string(1, other))), 0);
      }
    }
    EXPECT_EQ(std::count(counted.begin(), counted.end(), 1),
              static_cast<std::ptrdiff_t>(all.size() - without_tokens));
    EXPECT_EQ(std::count(counted.begin(), counted.end(), 0),
              static_cast<std::ptrdiff_t>(without_tokens));
  }
}

}  // namespace
}  // namespace cloze
