#include "sentence/pooling.h"

#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/similarity.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;

/// Two sequences of 2 and 1 tokens, two columns.
class PoolingTest : public ::testing::Test {
 protected:
  PoolingTest() {
    const std::vector<std::int32_t> two{1, 2}, one{3};
    batch_.append(two);
    batch_.append(one);
  }
  [[nodiscard]] std::vector<float> pooled(Pooling pooling) const {
    const auto vectors = pool(hidden_, batch_, pooling);
    const auto values = vectors.values<float>();
    return {values.begin(), values.end()};
  }

  Batch batch_;
  Tensor hidden_ = Tensor::from<float>({3, 2}, std::vector<float>{1, -4, 3, 2, 7, 8});
};

TEST_F(PoolingTest, OfEachSequenceAlone) {
  EXPECT_THAT(pooled(Pooling::cls), ElementsAre(1, -4, 7, 8));
  EXPECT_THAT(pooled(Pooling::mean), ElementsAre(2, -1, 7, 8));
  EXPECT_THAT(pooled(Pooling::max), ElementsAre(3, 2, 7, 8));
  EXPECT_EQ(pool(hidden_, batch_, Pooling::max).shape(), (Shape{2, 2}));
  EXPECT_THROW(static_cast<void>(pool(hidden_, batch_, Pooling::none)), ArgumentError);
}

TEST_F(PoolingTest, SideBySide) {
  const std::vector<Pooling> both{Pooling::mean, Pooling::cls};
  const auto vectors = pool(hidden_, batch_, both);
  EXPECT_EQ(vectors.shape(), (Shape{2, 4}));
  EXPECT_THAT(vectors.values<float>(), ElementsAre(2, -1, 1, -4, 7, 8, 7, 8));
}

TEST(PoolingAfterAPrompt, LeavesItsTokensOut) {
  Batch batch;
  batch.append(std::vector<std::int32_t>{1, 2, 3});
  const auto hidden = Tensor::from<float>({3, 1}, std::vector<float>{100, 4, 8});
  const auto value = [&](Pooling pooling) {
    const auto pooled = pool(hidden, batch, pooling, 1);
    return pooled.values<float>()[0];
  };
  EXPECT_FLOAT_EQ(value(Pooling::mean), 6);
  EXPECT_FLOAT_EQ(value(Pooling::cls), 4);
  EXPECT_FLOAT_EQ(value(Pooling::max), 8);
  EXPECT_FLOAT_EQ(value(Pooling::last_token), 8);
  EXPECT_FLOAT_EQ(value(Pooling::mean_sqrt_len), 12 / std::sqrt(2.0F));
  EXPECT_FLOAT_EQ(value(Pooling::weighted_mean), (2 * 4 + 3 * 8) / 5.0F);
}

TEST_F(PoolingTest, Names) {
  for (const auto pooling :
       {Pooling::none, Pooling::cls, Pooling::mean, Pooling::max, Pooling::pooler}) {
    EXPECT_EQ(pooling_from(name_of(pooling)), pooling);
  }
  EXPECT_THROW(static_cast<void>(pooling_from("average")), ArgumentError);
}

TEST(NormalizeRows, LengthOneAndZeroStaysZero) {
  auto rows = Tensor::from<float>({2, 2}, std::vector<float>{3, 4, 0, 0});
  normalize_rows(rows);
  EXPECT_THAT(rows.values<float>(), ElementsAre(0.6F, 0.8F, 0, 0));
}

TEST(Similarity, Cosines) {
  const std::vector<float> a{1, 0}, b{1, 1}, c{-2, 0}, none{0, 0};
  EXPECT_DOUBLE_EQ(cosine(a, b), std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(cosine(a, c), -1.0);
  EXPECT_DOUBLE_EQ(cosine(a, none), 0.0);
  EXPECT_THROW(static_cast<void>(cosine(a, std::vector<float>{1, 2, 3})), ArgumentError);
  const auto vectors = Tensor::from<float>({4, 2}, std::vector<float>{1, 0, 0, 1, 2, 0, 5, 0});
  EXPECT_THAT(cosines(vectors, a), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(pair_cosines(vectors), ElementsAre(0, 1));
}

TEST(Similarity, Functions) {
  const std::vector<float> a{1, -2}, b{4, 2};
  EXPECT_DOUBLE_EQ(similarity(a, b, SimilarityFunction::dot), 0);
  EXPECT_DOUBLE_EQ(similarity(a, b, SimilarityFunction::euclidean), -5);
  EXPECT_DOUBLE_EQ(similarity(a, b, SimilarityFunction::manhattan), -7);
  EXPECT_DOUBLE_EQ(similarity(a, a, SimilarityFunction::cosine), 1);
  for (const auto* name : {"cosine", "dot", "euclidean", "manhattan"}) {
    EXPECT_EQ(name_of(similarity_function_from(name)), name);
    EXPECT_THROW(
        static_cast<void>(similarity(a, std::vector<float>{1}, similarity_function_from(name))),
        ArgumentError);
  }
  EXPECT_THROW(static_cast<void>(similarity_function_from("maxsim")), ArgumentError);
  const auto vectors = Tensor::from<float>({2, 2}, std::vector<float>{1, -2, 4, 2});
  EXPECT_THAT(pair_similarities(vectors, SimilarityFunction::manhattan), ElementsAre(-7));
  const auto matrix = similarity_matrix(vectors, vectors, SimilarityFunction::dot);
  EXPECT_THAT(matrix.values<float>(), ElementsAre(5, 0, 0, 20));
  EXPECT_EQ(semantic_search(vectors, vectors, 1, SimilarityFunction::euclidean)[1][0].index, 1U);
}

TEST(Similarity, Ranking) {
  const std::vector<double> scores{0.1, 0.9, 0.1, 0.5};
  EXPECT_THAT(ranking(scores, 4), ElementsAre(1, 3, 0, 2));
  EXPECT_THAT(ranking(scores, 2), ElementsAre(1, 3));
  EXPECT_THAT(ranking(scores, 9), ElementsAre(1, 3, 0, 2));
}

TEST(Similarity, MatrixAndSearch) {
  const auto a = Tensor::from<float>({2, 2}, std::vector<float>{1, 0, 3, 4});
  const auto b = Tensor::from<float>({3, 2}, std::vector<float>{0, 2, 5, 0, 1, 0});
  const auto matrix = cosine_similarity(a, b);
  EXPECT_EQ(matrix.shape(), (Shape{2, 3}));
  EXPECT_THAT(matrix.values<float>(), ElementsAre(0, 1, 1, 0.8F, 0.6F, 0.6F));
  const auto hits = semantic_search(a, b, 2);
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].size(), 2U);
  EXPECT_EQ(hits[0][0].index, 1U);  // of equal scores the first
  EXPECT_EQ(hits[0][1].index, 2U);
  EXPECT_EQ(hits[1][0].index, 0U);
  EXPECT_DOUBLE_EQ(hits[1][0].score, 0.8);
  EXPECT_EQ(semantic_search(a, b, 9)[0].size(), 3U);
  EXPECT_THROW(static_cast<void>(cosine_similarity(a, a.reshaped({4, 1}))), ArgumentError);
  EXPECT_THROW(static_cast<void>(semantic_search(a, b.reshaped({6}), 1)), ArgumentError);
}

}  // namespace
}  // namespace cloze
