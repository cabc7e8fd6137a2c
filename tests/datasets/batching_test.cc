#include "datasets/batching.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;

std::int64_t tokens(const std::vector<std::size_t>& batch,
                    const std::vector<std::int64_t>& lengths) {
  return std::accumulate(batch.begin(), batch.end(), std::int64_t{0},
                         [&](std::int64_t sum, std::size_t i) { return sum + lengths[i]; });
}

TEST(PlanBatches, LongestFirstWithinTheBudget) {
  const std::vector<std::int64_t> lengths{3, 5, 4, 1, 5};
  EXPECT_THAT(plan_batches(lengths, 10), ElementsAre(ElementsAre(1, 4), ElementsAre(2, 0, 3)));
  EXPECT_THAT(plan_batches(lengths, 1), ElementsAre(ElementsAre(1), ElementsAre(4), ElementsAre(2),
                                                    ElementsAre(0), ElementsAre(3)));
  EXPECT_TRUE(plan_batches(std::vector<std::int64_t>{}, 10).empty());
}

TEST(PlanBatches, EveryTextOnceAndNoBatchOverTheBudget) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int64_t> lengths(random() % 300);
    for (auto& length : lengths) length = 1 + static_cast<std::int64_t>(random() % 512);
    const auto budget = 1 + static_cast<std::int64_t>(random() % 2000);
    std::vector<int> seen(lengths.size());
    std::int64_t last = 1 << 20;
    for (const auto& batch : plan_batches(lengths, budget)) {
      ASSERT_FALSE(batch.empty());
      if (batch.size() > 1) {
        EXPECT_LE(tokens(batch, lengths), budget);
      }
      for (const auto i : batch) {
        ++seen[i];
        EXPECT_LE(lengths[i], last);
        last = lengths[i];
      }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<std::ptrdiff_t>(seen.size()));
  }
}

TEST(Pack, InTheGivenOrder) {
  const std::vector<TokenizedText> texts{{{1, 2}, {0, 1}}, {{3}, {0}}, {{4, 5, 6}, {1, 1, 1}}};
  const std::vector<std::size_t> order{2, 0};
  const auto batch = pack(texts, order);
  EXPECT_THAT(batch.input_ids, ElementsAre(4, 5, 6, 1, 2));
  EXPECT_THAT(batch.token_type_ids, ElementsAre(1, 1, 1, 0, 1));
  EXPECT_THAT(batch.position_ids, ElementsAre(0, 1, 2, 0, 1));
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 3, 5));
}

TEST(Vocabulary, MustFitTheModel) {
  const auto tokenizer = Tokenizer::from_pretrained(testing::golden_directory("pretraining"));
  BertConfig config;
  config.vocab_size = 61;
  EXPECT_NO_THROW(require_same_vocabulary(tokenizer, config));
  config.vocab_size = 60;
  EXPECT_THROW(require_same_vocabulary(tokenizer, config), ModelError);
}

}  // namespace
}  // namespace cloze
