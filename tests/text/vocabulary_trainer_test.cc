#include "cloze/vocabulary_trainer.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/parallel.h"
#include "core/temp_directory.h"
#include "text/train/word_counts.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class VocabularyTrainer : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }

  const std::vector<fs::path>& text(const std::string& content) {
    files_.push_back(directory_.write(std::to_string(files_.size()), content));
    return files_;
  }

  testing::TempDirectory directory_;
  std::vector<fs::path> files_;
};

TEST_F(VocabularyTrainer, MergesTheMostFrequentPairFirst) {
  std::string words;
  const auto repeat = [&words](int times, const std::string& word) {
    for (int i = 0; i < times; ++i) words += word + "\n";
  };
  repeat(5, "low");
  repeat(4, "LOWER");
  repeat(3, "now");
  VocabularyOptions options;
  options.special_tokens = {"[UNK]"};
  options.size = 16;
  const auto tokens = train_vocabulary(text(words), options);
  // pairs: ##o ##w 9 + n's ##o ##w 3 = 12; l ##ow 9; lowe: low ##e 4 = ##e ##r 4 (smaller ids win)
  EXPECT_THAT(tokens, ElementsAre("[UNK]", "e", "l", "n", "o", "r", "w", "##e", "##o", "##r", "##w",
                                  "##ow", "low", "##er", "lower", "now"));
}

TEST_F(VocabularyTrainer, StopsAtTheMinimumFrequency) {
  VocabularyOptions options;
  options.special_tokens = {};
  options.min_frequency = 3;
  const auto tokens = train_vocabulary(text("ab ab ab cd cd"), options);
  EXPECT_THAT(tokens, ElementsAre("a", "b", "c", "d", "##b", "##d", "ab"));
}

TEST_F(VocabularyTrainer, NormalizesAsTheTokenizer) {
  VocabularyOptions options;
  options.special_tokens = {};
  options.min_frequency = 1;
  const auto& files = text("Été, 東京\xFF été");
  EXPECT_THAT(train_vocabulary(files, options),
              ElementsAre(",", "e", "t", "京", "東", "##e", "##t", "et", "ete"));
  options.lowercase = false;
  EXPECT_THAT(train_vocabulary(files, options), AllOf(Contains("Été"), Contains("été")));
  options.strip_accents = true;
  EXPECT_THAT(train_vocabulary(files, options), AllOf(Contains("Ete"), Not(Contains("É"))));
  options.handle_chinese_chars = false;
  EXPECT_THAT(train_vocabulary(files, options), Contains("東京"));
}

TEST_F(VocabularyTrainer, TheAlphabetHasALimit) {
  VocabularyOptions options;
  options.special_tokens = {};
  options.limit_alphabet = 2;
  options.initial_alphabet = "ž";
  const auto tokens = train_vocabulary(text("aaa aab xa"), options);
  EXPECT_THAT(tokens, ElementsAre("a", "ž", "##a", "aa"));  // "aab" is read as "aa", "xa" as "##a"
}

TEST_F(VocabularyTrainer, OptionsThatMakeNoVocabulary) {
  const auto& files = text("some words");
  VocabularyOptions options;
  options.size = 6;
  EXPECT_THROW((void)train_vocabulary(files, options), ArgumentError);
  options.size = 0;
  EXPECT_THROW((void)train_vocabulary(files, options), ArgumentError);
  const std::vector<fs::path> missing{"/no/such/file"};
  EXPECT_THROW((void)train_vocabulary(missing), IoError);
  EXPECT_THROW(save_vocabulary("/no/such/folder/vocab.txt", {}), IoError);
}

TEST_F(VocabularyTrainer, ATextWithoutWordsIsRefused) {
  EXPECT_THROW(static_cast<void>(train_vocabulary(text(""))), Error);
  EXPECT_THROW(static_cast<void>(train_vocabulary(text(" \n\t\n"))), Error);
}

std::string random_words(std::size_t bytes) {
  std::mt19937 random(3);
  std::string words;
  while (words.size() < bytes) {
    const auto length = 1 + random() % 4;
    for (std::size_t i = 0; i < length; ++i) {
      words += static_cast<char>('a' + std::min(random() % 26, random() % 26));
    }
    words += random() % 10 == 0 ? '\n' : ' ';
  }
  return words;
}

TEST_F(VocabularyTrainer, ThreadsAndFilesDoNotMatter) {
  const auto words = random_words(std::size_t{10} << 20U);
  VocabularyOptions options;
  options.size = 500;
  set_num_threads(1);
  const auto alone = train_vocabulary(text(words), options);
  EXPECT_EQ(alone.size(), 500U);
  set_num_threads(4);
  EXPECT_EQ(train_vocabulary(files_, options), alone);
  files_.push_back(files_.front());  // the same counts doubled
  options.min_frequency *= 2;
  EXPECT_EQ(train_vocabulary(files_, options), alone);
  files_.pop_back();
}

TEST_F(VocabularyTrainer, RareWordsGoWhenThereAreTooMany) {
  std::string words = random_words(std::size_t{1} << 20U);
  for (int i = 0; i < 5000; ++i) words += " frequent";
  VocabularyOptions options;
  options.size = 200;
  options.max_words = 1000;
  EXPECT_THAT(train_vocabulary(text(words), options), Contains("frequent"));
}

TEST_F(VocabularyTrainer, ATokenizerReadsWhatWasTrained) {
  VocabularyOptions options;
  options.min_frequency = 1;
  const auto tokens = train_vocabulary(text("playing played plays player"), options);
  const testing::TempDirectory folder;
  save_vocabulary(folder / "vocab.txt", tokens);
  const auto tokenizer = Tokenizer::from_pretrained(folder.path());
  EXPECT_EQ(tokenizer.vocab_size(), static_cast<std::int32_t>(tokens.size()));
  EXPECT_EQ(tokenizer.decode(tokenizer("Playing plays").input_ids), "playing plays");
}

TEST(WordCounts, KeepsTheMostFrequent) {
  text::WordCounts counts;
  for (int i = 0; i < 20000; ++i) counts.add(fmt::format("w{}", i), i % 100);
  for (int i = 0; i < 20000; ++i) counts.add(fmt::format("w{}", i));
  ASSERT_EQ(counts.size(), 20000U);
  EXPECT_EQ(counts.count(4321), 22);
  EXPECT_EQ(counts.word(4321), "w4321");
  counts.keep_most_frequent(400);
  ASSERT_EQ(counts.size(), 400U);
  for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_GE(counts.count(i), 99);
}

}  // namespace
}  // namespace cloze
