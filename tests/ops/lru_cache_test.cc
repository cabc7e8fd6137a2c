#include "ops/cpu/lru_cache.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cloze::ops {
namespace {

class LruCacheTest : public ::testing::Test {
 protected:
  std::string get(int key) {
    return cache.find_or_make(key, [&] {
      made.push_back(key);
      return std::to_string(key);
    });
  }
  LruCache<int, std::string> cache{3};
  std::vector<int> made;
};

TEST_F(LruCacheTest, MakesEachValueOnceWhileItIsKept) {
  for (const int key : {1, 2, 1, 3, 2, 1}) EXPECT_EQ(get(key), std::to_string(key));
  EXPECT_EQ(made, (std::vector{1, 2, 3}));
  EXPECT_EQ(cache.size(), 3U);
}

TEST_F(LruCacheTest, TheLeastRecentlyUsedMakesPlace) {
  for (const int key : {1, 2, 3, 1, 4}) get(key);  // 2 goes
  EXPECT_EQ(cache.size(), 3U);
  for (const int key : {1, 3, 4}) get(key);
  EXPECT_EQ(made, (std::vector{1, 2, 3, 4}));
  get(2);  // 1 goes
  get(3);
  get(1);
  EXPECT_EQ(made, (std::vector{1, 2, 3, 4, 2, 1}));
}

TEST_F(LruCacheTest, NeverHoldsMoreThanItsCapacity) {
  for (int key = 0; key < 1000; ++key) {
    get(key);
    get(7);  // stays, however many pass by
    ASSERT_LE(cache.size(), cache.capacity());
  }
  EXPECT_EQ(std::count(made.begin(), made.end(), 7), 1);
}

TEST_F(LruCacheTest, AFailureLeavesItAsItWas) {
  for (const int key : {1, 2, 3}) get(key);
  const auto fail = []() -> std::string { throw std::runtime_error("no"); };
  EXPECT_THROW(cache.find_or_make(4, fail), std::runtime_error);
  for (const int key : {1, 2, 3, 4}) get(key);
  EXPECT_EQ(made, (std::vector{1, 2, 3, 4}));
}

}  // namespace
}  // namespace cloze::ops
