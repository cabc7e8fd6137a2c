#include "core/random_stream.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace cloze {
namespace {

TEST(RandomStream, GivesTheWordsOfItsPhiloxStream) {
  const Philox philox(7, 9);
  RandomStream random(7, 9);
  for (std::uint64_t block = 0; block < 5; ++block) {
    for (const auto word : philox.block(block)) EXPECT_EQ(random.bits(), word);
  }
}

TEST(RandomStream, NumbersBelowABoundAreEvenlySpread) {
  RandomStream random(1, 2);
  constexpr std::uint32_t bound = 7;
  constexpr int draws = 70000;
  std::vector<int> counts(bound);
  for (int i = 0; i < draws; ++i) {
    const auto value = random.below(bound);
    ASSERT_LT(value, bound);
    ++counts[value];
  }
  for (const int count : counts) EXPECT_NEAR(count, draws / bound, 5 * std::sqrt(draws / bound));
  // A bound that 2^32 is far from a multiple of: a plain remainder would favour small numbers.
  constexpr std::uint32_t large = 3U << 30U;
  int low = 0;
  for (int i = 0; i < draws; ++i) low += random.below(large) < large / 2 ? 1 : 0;
  EXPECT_NEAR(low, draws / 2, 5 * std::sqrt(draws / 4));
}

TEST(RandomStream, BetweenReachesBothEnds) {
  RandomStream random(3, 4);
  std::vector<int> counts(3);
  for (int i = 0; i < 300; ++i) ++counts.at(random.between(5, 7) - 5);
  for (const int count : counts) EXPECT_GT(count, 50);
}

TEST(RandomStream, ShuffleGivesEveryOrder) {
  RandomStream random(5, 6);
  std::vector<int> counts(27);
  for (int i = 0; i < 6000; ++i) {
    std::vector<int> values{0, 1, 2};
    random.shuffle(std::span(values));
    ++counts[static_cast<std::size_t>(9 * values[0] + 3 * values[1] + values[2])];
  }
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 27 - 6);
  for (const int count : counts) {
    if (count > 0) {
      EXPECT_NEAR(count, 1000, 160);
    }
  }
}

TEST(Permutation, IsOneAtEverySize) {
  for (const std::uint64_t size : {0U, 1U, 2U, 3U, 5U, 16U, 17U, 100U, 1000U, 4097U}) {
    const Permutation order(size, 11, size);
    std::vector<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < size; ++i) seen.push_back(order(i));
    std::sort(seen.begin(), seen.end());
    for (std::uint64_t i = 0; i < size; ++i) ASSERT_EQ(seen[i], i) << "of " << size;
  }
}

TEST(Permutation, LooksRandom) {
  constexpr std::uint64_t size = 2000;
  const Permutation one(size, 1, 0), other(size, 2, 0);
  int fixed = 0, same = 0, neighbours = 0;
  double correlation = 0;
  constexpr double mean = (size - 1) / 2.0;
  for (std::uint64_t i = 0; i < size; ++i) {
    fixed += one(i) == i ? 1 : 0;
    same += one(i) == other(i) ? 1 : 0;
    if (i > 0) neighbours += one(i) == one(i - 1) + 1 ? 1 : 0;
    correlation += (static_cast<double>(i) - mean) * (static_cast<double>(one(i)) - mean);
  }
  correlation /= mean * mean * size / 3;
  EXPECT_LT(fixed, 8);  // 1 expected of each
  EXPECT_LT(same, 8);
  EXPECT_LT(neighbours, 8);
  EXPECT_LT(std::abs(correlation), 0.1);  // 4.5 standard deviations
}

}  // namespace
}  // namespace cloze
