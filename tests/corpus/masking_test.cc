#include "corpus/masking.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "made_up_text.h"

namespace cloze {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int32_t words = 900, pieces = 95;

class MaskingTest : public ::testing::Test {
 protected:
  // [CLS], words of some pieces, [SEP], the same again, [SEP]
  std::vector<std::int32_t> sequence(std::size_t length) {
    std::vector<std::int32_t> ids{vocabulary_.cls()};
    while (ids.size() + 1 < length) {
      if (ids.size() == length / 2) {
        ids.push_back(vocabulary_.sep());
      } else if (random_() % 4 == 0) {
        ids.push_back(static_cast<std::int32_t>(5 + words + random_() % pieces));
      } else {
        ids.push_back(static_cast<std::int32_t>(5 + random_() % words));
      }
    }
    ids.push_back(vocabulary_.sep());
    return ids;
  }

  testing::MadeUpVocabulary made_up_{words, pieces};
  Tokenizer tokenizer_ = made_up_.tokenizer();
  MaskableVocabulary vocabulary_{tokenizer_};
  std::mt19937 random_{std::random_device{}()};
};

TEST_F(MaskingTest, KnowsTheVocabulary) {
  EXPECT_EQ(vocabulary_.size(), 5 + words + pieces);
  EXPECT_EQ(vocabulary_.mask(), 4);
  EXPECT_FALSE(vocabulary_.may_be_masked(vocabulary_.cls()));
  EXPECT_FALSE(vocabulary_.may_be_masked(vocabulary_.sep()));
  EXPECT_TRUE(vocabulary_.may_be_masked(1));
  EXPECT_FALSE(vocabulary_.continues_word(5 + words - 1));
  EXPECT_TRUE(vocabulary_.continues_word(5 + words));
}

TEST_F(MaskingTest, EverySequenceKeepsTheRules) {
  for (const bool whole_words : {false, true}) {
    for (int round = 0; round < 400; ++round) {
      const auto length = 3 + random_() % 200;
      const auto most = static_cast<std::int64_t>(1 + random_() % 40);
      const double probability = 0.05 + 0.3 * (random_() % 1000) / 1000.0;
      Masker masker(vocabulary_, {probability, most, whole_words});
      const auto original = sequence(length);
      auto ids = original;
      std::vector<std::int32_t> positions{-7}, labels{-8};  // what was there must stay
      RandomStream random(random_(), 0);
      masker.mask(ids, random, positions, labels);
      ASSERT_EQ(positions.size(), labels.size());
      ASSERT_EQ(positions[0], -7);
      ASSERT_EQ(labels[0], -8);
      positions.erase(positions.begin());
      labels.erase(labels.begin());

      ASSERT_TRUE(std::is_sorted(positions.begin(), positions.end()));
      const std::set<std::int32_t> masked(positions.begin(), positions.end());
      ASSERT_EQ(masked.size(), positions.size());
      for (std::size_t i = 0; i < labels.size(); ++i) {
        ASSERT_EQ(labels[i], original[static_cast<std::size_t>(positions[i])]);
      }
      std::int64_t possible = 0;
      for (std::size_t i = 0; i < length; ++i) {
        const bool special = original[i] == vocabulary_.cls() || original[i] == vocabulary_.sep();
        possible += special ? 0 : 1;
        const bool is_masked = masked.contains(static_cast<std::int32_t>(i));
        if (special) {
          ASSERT_FALSE(is_masked);
        }
        if (!is_masked) {
          ASSERT_EQ(ids[i], original[i]);
        }
        ASSERT_GE(ids[i], 0);
        ASSERT_LT(ids[i], vocabulary_.size());
        if (whole_words && original[i] >= 5 + words && original[i - 1] >= 5) {
          ASSERT_EQ(is_masked, masked.contains(static_cast<std::int32_t>(i) - 1));
        }
      }
      const auto wanted = static_cast<double>(length) * probability;
      const auto bound = [&](double count) {
        return std::min(
            {std::max<std::int64_t>(1, static_cast<std::int64_t>(count)), most, possible});
      };
      const auto count = static_cast<std::int64_t>(positions.size());
      if (!whole_words) {
        ASSERT_GE(count, bound(std::floor(wanted)));
      }
      ASSERT_LE(count, bound(std::ceil(wanted)));
    }
  }
}

// Bar: 15 % +- 0.1, 80/10/10 +- 0.5, every token as often as any other.
TEST_F(MaskingTest, Shares) {
  for (const bool whole_words : {false, true}) {
    Masker masker(vocabulary_,
                  {.probability = 0.15, .max_predictions = 20, .whole_words = whole_words});
    RandomStream random(99, whole_words ? 1 : 0);
    constexpr std::size_t length = 128;
    std::vector<std::int64_t> at(length);
    std::int64_t masked = 0, shown_mask = 0, same = 0, other = 0, special = 0;
    constexpr int rounds = 20000;
    for (int round = 0; round < rounds; ++round) {
      const auto original = sequence(length);
      auto ids = original;
      std::vector<std::int32_t> positions, labels;
      masker.mask(ids, random, positions, labels);
      masked += static_cast<std::int64_t>(positions.size());
      for (const auto position : positions) {
        const auto place = static_cast<std::size_t>(position);
        ++at[place];
        ++(ids[place] == vocabulary_.mask() ? shown_mask
           : ids[place] == original[place]  ? same
                                            : other);
        special += ids[place] < 4 ? 1 : 0;
      }
    }
    const auto share = [&](std::int64_t part) {
      return static_cast<double>(part) / static_cast<double>(masked);
    };
    EXPECT_NEAR(static_cast<double>(masked) / (rounds * length), 0.15, 0.001);
    EXPECT_NEAR(share(shown_mask), 0.8, 0.005);
    EXPECT_NEAR(share(other), 0.1, 0.005);
    EXPECT_NEAR(share(same), 0.1, 0.005);
    EXPECT_NEAR(share(special), 0.1 * 4 / 1000, 0.0002);  // the whole vocabulary is drawn from
    EXPECT_EQ(at[0], 0);
    EXPECT_EQ(at[length / 2], 0);
    EXPECT_EQ(at[length - 1], 0);
    if (whole_words) continue;  // there the place after a [SEP] differs
    for (std::size_t i = 1; i + 1 < length; ++i) {
      if (i == length / 2) continue;
      const double expected = static_cast<double>(masked) / (length - 3);
      EXPECT_NEAR(static_cast<double>(at[i]), expected, 6 * std::sqrt(expected)) << i;
    }
  }
}

TEST_F(MaskingTest, TheCapHolds) {
  Masker masker(vocabulary_, {.probability = 0.15, .max_predictions = 5});
  RandomStream random(1, 1);
  auto ids = sequence(100);
  std::vector<std::int32_t> positions, labels;
  masker.mask(ids, random, positions, labels);
  EXPECT_EQ(positions.size(), 5U);
}

TEST_F(MaskingTest, NothingToMask) {
  Masker masker(vocabulary_, {});
  RandomStream random(1, 1);
  std::vector<std::int32_t> ids{vocabulary_.cls(), vocabulary_.sep()}, positions, labels;
  masker.mask(ids, random, positions, labels);
  EXPECT_TRUE(positions.empty());
}

TEST_F(MaskingTest, Errors) {
  EXPECT_THROW(Masker(vocabulary_, {.probability = 0}), ArgumentError);
  EXPECT_THROW(Masker(vocabulary_, {.probability = 1}), ArgumentError);
  EXPECT_THROW(Masker(vocabulary_, {.max_predictions = 0}), ArgumentError);
  const testing::MadeUpVocabulary maskless(10, 0, false);
  EXPECT_THAT([&] { MaskableVocabulary(maskless.tokenizer()); },
              ThrowsMessage<ModelError>(HasSubstr("has no mask token")));
}

}  // namespace
}  // namespace cloze
