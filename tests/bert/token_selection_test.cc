#include "bert/token_selection.h"

#include <vector>

#include <gtest/gtest.h>

namespace cloze::internal {
namespace {

using Rows = std::vector<std::int32_t>;

/// Sequences of 3, 1 and 4 tokens.
Batch three_sequences() {
  Batch batch;
  for (const std::size_t length : {3, 1, 4}) batch.append(Rows(length, 7));
  return batch;
}

Rows tokens_of(const TokenSelection& selection) {
  return {selection.tokens().begin(), selection.tokens().end()};
}

Rows counts_of(const TokenSelection& selection) {
  return {selection.cu_seqlens().begin(), selection.cu_seqlens().end()};
}

TEST(TokenSelection, FirstTokens) {
  const auto batch = three_sequences();
  const auto first = TokenSelection::first_tokens(batch);
  EXPECT_EQ(tokens_of(first), (Rows{0, 3, 4}));
  EXPECT_EQ(counts_of(first), (Rows{0, 1, 2, 3}));
  EXPECT_EQ(first.rows_of_first(batch), (Rows{0, 1, 2}));
  EXPECT_EQ(first.rows(batch), 3);
}

TEST(TokenSelection, AnyOrderAndMoreThanOnce) {
  const auto batch = three_sequences();
  const Rows wanted{6, 1, 6, 2};
  const auto some = TokenSelection::of(batch, wanted, false);
  EXPECT_EQ(tokens_of(some), (Rows{1, 2, 6}));
  EXPECT_EQ(counts_of(some), (Rows{0, 2, 2, 3}));
  EXPECT_EQ(some.rows_of(wanted), (Rows{2, 0, 2, 1}));
  EXPECT_EQ(some.rows(batch, 0), 2);
  EXPECT_EQ(some.rows(batch, 1), 0);
  EXPECT_EQ(some.rows(batch, 2), 1);

  const auto both = TokenSelection::of(batch, wanted, true);
  EXPECT_EQ(tokens_of(both), (Rows{0, 1, 2, 3, 4, 6}));
  EXPECT_EQ(both.rows_of_first(batch), (Rows{0, 3, 4}));
}

TEST(TokenSelection, NoneOrEveryTokenIsAll) {
  const auto batch = three_sequences();
  const Rows every{0, 1, 2, 3, 4, 5, 6, 7};
  for (const auto& all : {TokenSelection(), TokenSelection::of(batch, {}, false),
                          TokenSelection::of(batch, every, true)}) {
    EXPECT_TRUE(all.all());
    EXPECT_EQ(all.rows(batch), 8);
    EXPECT_EQ(all.rows(batch, 2), 4);
    EXPECT_EQ(all.rows_of(every), every);
    EXPECT_EQ(all.rows_of_first(batch), (Rows{0, 3, 4}));
  }
}

}  // namespace
}  // namespace cloze::internal
