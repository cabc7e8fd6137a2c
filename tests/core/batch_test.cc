#include "cloze/batch.h"

#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

TEST(Batch, StartsEmpty) {
  const Batch batch;
  EXPECT_EQ(batch.total_tokens(), 0);
  EXPECT_EQ(batch.sequences(), 0);
  EXPECT_EQ(batch.max_length(), 0);
}

TEST(Batch, PacksSequencesWithoutPadding) {
  Batch batch;
  batch.append(Ids{101, 7, 102});
  batch.append(Ids{});
  batch.append(Ids{101, 7, 102, 8, 102}, Ids{0, 0, 0, 1, 1});
  batch.append(Ids{5});
  EXPECT_THAT(batch.input_ids, ElementsAre(101, 7, 102, 101, 7, 102, 8, 102, 5));
  EXPECT_THAT(batch.token_type_ids, ElementsAre(0, 0, 0, 0, 0, 0, 1, 1, 0));
  EXPECT_THAT(batch.position_ids, ElementsAre(0, 1, 2, 0, 1, 2, 3, 4, 0));
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 3, 3, 8, 9));
  EXPECT_EQ(batch.total_tokens(), 9);
  EXPECT_EQ(batch.sequences(), 4);
  EXPECT_EQ(batch.length(1), 0);
  EXPECT_EQ(batch.length(2), 5);
  EXPECT_EQ(batch.max_length(), 5);
}

TEST(Batch, RefusesTypesOfAnotherLengthAndStaysAsItWas) {
  Batch batch;
  batch.append(Ids{1, 2});
  try {
    batch.append(Ids{1, 2, 3}, Ids{0, 0});
    FAIL();
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), HasSubstr("3 tokens was given 2 token_type_ids"));
  }
  EXPECT_EQ(batch.sequences(), 1);
  EXPECT_EQ(batch.total_tokens(), 2);
}

}  // namespace
}  // namespace cloze
