#include "cloze/text_ranking.h"

#include <cmath>
#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

class Ranking : public ::testing::Test {
 protected:
  CrossEncoder encoder(std::int64_t batch_tokens = 8192) {
    if (model_.empty()) model_ = testing::classifier_of(folder_, {"LABEL_0"});
    return CrossEncoder::from_pretrained(model_, {.batch_tokens = batch_tokens});
  }
  testing::TempDirectory folder_;

 private:
  std::string model_;
};

float logit(const CrossEncoder& encoder, std::string_view a, std::string_view b,
            std::size_t index) {
  const auto logits = encoder.model()(encoder.tokenizer()(a, b));
  return logits.values<float>()[index];
}

TEST_F(Ranking, ScoresOfPairs) {
  const auto one = encoder();
  const std::vector<TextPair> pairs{{"the dog", "a"}, {"b", "c dogs"}};
  const auto scores = one.predict(pairs);
  const auto logits = one.predict(pairs, {.function_to_apply = ScoreFunction::none});
  for (std::size_t i = 0; i < 2; ++i) {
    const double expected = logit(one, pairs[i].first, pairs[i].second, 0);
    EXPECT_NEAR(logits[i], expected, 1e-5);
    EXPECT_NEAR(scores[i], 1 / (1 + std::exp(-expected)), 1e-6);
  }
}

TEST_F(Ranking, OfTwoOutputsTheSecondMeansYes) {
  const auto two = CrossEncoder::from_pretrained(testing::classifier_of(folder_, {"no", "yes"}));
  const std::vector<TextPair> pairs{{"the dog", "a"}};
  const auto expected =
      testing::plain_softmax({logit(two, "the dog", "a", 0), logit(two, "the dog", "a", 1)});
  EXPECT_NEAR(two.predict(pairs)[0], expected[1], 1e-6);
}

TEST_F(Ranking, DocumentsBestFirst) {
  const auto one = encoder();
  const auto documents = testing::several_texts();
  const auto ranked = one.rank("the dog", documents);
  ASSERT_EQ(ranked.size(), documents.size());
  std::vector<char> seen(documents.size(), 0);
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    seen[ranked[i].index] = 1;
    EXPECT_EQ(ranked[i].score, one.rank("the dog", documents, {.top_k = 6})[i].score);
    if (i > 0) {
      EXPECT_LE(ranked[i].score, ranked[i - 1].score);
    }
  }
  EXPECT_THAT(seen, ::testing::Each(1));
  const auto best = one.rank("the dog", documents, {.top_k = 2});
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].index, ranked[0].index);
  EXPECT_NEAR(best[0].score,
              1 / (1 + std::exp(-double{logit(one, "the dog", documents[best[0].index], 0)})),
              1e-6);
}

TEST_F(Ranking, ProgressCancellationAndThreads) {
  const auto one = encoder(12);
  const auto documents = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return one.rank("a", documents, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
          return x.index == y.index && x.score == y.score;
        });
      });
}

TEST_F(Ranking, BadInput) {
  const auto one = encoder();
  EXPECT_TRUE(one.predict(Texts()).empty());
  EXPECT_TRUE(one.rank("a", Texts()).empty());
  EXPECT_THROW(static_cast<void>(one.predict(std::vector<std::string>{"a"})), ArgumentError);
  EXPECT_THROW(static_cast<void>(one.rank("a", std::vector<TextPair>{{"b", "c"}})), ArgumentError);
  EXPECT_THROW(static_cast<void>(one.rank("a", Texts(), {.top_k = -1})), ArgumentError);
  EXPECT_THAT(error_of([] {
                static_cast<void>(
                    CrossEncoder::from_pretrained(testing::golden_directory("sequence_3_labels")));
              }),
              ::testing::AllOf(HasSubstr("has 3 labels"), HasSubstr("TextClassificationPipeline")));
}

}  // namespace
}  // namespace cloze
