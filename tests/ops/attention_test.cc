// ops::attention against softmax(q·kᵀ/√d)·v in double precision, over uneven lengths.
#include "ops/attention.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tensor.h"
#include "core/parallel.h"
#include "ops/linear.h"
#include "ops/operands.h"
#include "reference/ops.h"

namespace cloze::testing {
namespace {

std::vector<std::int32_t> boundaries(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int32_t> cu_seqlens = {0};
  for (const auto length : lengths) {
    cu_seqlens.push_back(cu_seqlens.back() + static_cast<std::int32_t>(length));
  }
  return cu_seqlens;
}

std::size_t probability_count(const std::vector<std::int64_t>& lengths, std::int64_t heads) {
  std::size_t count = 0;
  for (const auto length : lengths) count += static_cast<std::size_t>(heads * length * length);
  return count;
}

class Attention : public ::testing::TestWithParam<DType> {
 protected:
  static DType dtype() { return GetParam(); }

  // Runs both and compares; `scale` is that of queries, keys and values.
  void check(const std::vector<std::int64_t>& lengths, std::int64_t heads, std::int64_t head_dim,
             double scale = 1, std::int64_t gap = 0) {
    SCOPED_TRACE(::testing::Message() << heads << " heads of " << head_dim << ", lengths "
                                      << ::testing::PrintToString(lengths) << ", scale " << scale);
    const auto cu_seqlens = boundaries(lengths);
    const std::int64_t tokens = cu_seqlens.back();
    const auto qkv = Operand::random(dtype(), tokens, 3 * heads * head_dim, random_, scale, gap);
    const auto expected = reference::attention(qkv.doubles(), static_cast<std::size_t>(heads),
                                               static_cast<std::size_t>(head_dim), cu_seqlens);
    const ops::AttentionShape shape{.heads = heads, .head_dim = head_dim, .cu_seqlens = cu_seqlens};

    // Scores grow with the square of the scale, and their f32 rounding with them.
    const double exactness = 1e-5 * std::max(1.0, scale * scale);
    // bf16: the probabilities may be rounded before they meet the values.
    const double mixing = exactness + (dtype() == DType::bf16 ? 0.016 * scale : 0);
    Operand y(dtype(), tokens, heads * head_dim, gap);
    ops::attention(context_, ops::attention_inputs(qkv.view()), shape, y.view());
    expect_near(y, expected.y, mixing);

    std::vector<float> probabilities(probability_count(lengths, heads), -1);
    Operand again(dtype(), tokens, heads * head_dim, gap);
    ops::attention(context_, ops::attention_inputs(qkv.view()), shape, again.view(),
                   {.probabilities = probabilities});
    expect_near(again, expected.y, mixing);
    ASSERT_EQ(probabilities.size(), expected.probabilities.size());
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
      ASSERT_NEAR(probabilities[i], expected.probabilities[i], exactness) << "probability " << i;
    }
    for (std::int64_t t = 0; t < tokens; ++t) {
      ASSERT_TRUE(y.same_bits(t, again, t)) << "asking for the probabilities changed row " << t;
    }
  }

  ops::Context context_;
  Random random_{2017};
};
INSTANTIATE_TEST_SUITE_P(Dtypes, Attention, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(Attention, EveryAwkwardHeadSize) {
  for (const std::int64_t head_dim :
       {1, 2, 4, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 96, 128}) {
    check({5, 1, 33, 16}, 2, head_dim);
    if (HasFailure()) return;
  }
}

TEST_P(Attention, EveryAwkwardLength) {
  for (const auto length : awkward_sizes) {
    check({length}, 3, 32);
    check({length}, 1, 64);
    check({1, length, 2}, 2, 12);
    if (HasFailure()) return;
  }
}

TEST_P(Attention, UnevenBatches) {
  check({65, 1, 128, 7, 31, 64, 2, 100}, 4, 32);
  check({127, 129}, 2, 64);
  check(std::vector<std::int64_t>(50, 3), 2, 16);
  check({1, 1, 1}, 12, 64);
}

TEST_P(Attention, LongSequences) {
  check({512}, 1, 64);
  check({257, 384}, 1, 32);
}

TEST_P(Attention, MoreHeadsThanThreads) { check({40, 41}, 16, 8); }

TEST_P(Attention, Strides) { check({9, 33}, 2, 17, 1, 5); }

TEST_P(Attention, LargeScoresDoNotOverflow) {
  // Scores in the thousands: exp of them would be infinite without the maximum taken away.
  check({20, 7}, 2, 64, 30);
}

TEST_P(Attention, EqualScoresShareEqually) {
  const std::int64_t length = 19;
  Operand qkv(dtype(), length, 48);
  for (std::int64_t r = 0; r < length; ++r) {
    for (std::int64_t c = 0; c < 48; ++c) qkv.set(r, c, c < 32 ? 0.5 : 1.0);
  }
  const auto cu_seqlens = boundaries({length});
  std::vector<float> probabilities(static_cast<std::size_t>(length * length));
  Operand y(dtype(), length, 16);
  ops::attention(context_, ops::attention_inputs(qkv.view()),
                 {.heads = 1, .head_dim = 16, .cu_seqlens = cu_seqlens}, y.view(),
                 {.probabilities = probabilities});
  for (const auto p : probabilities) EXPECT_NEAR(p, 1.0 / 19, 1e-7);
  for (std::int64_t c = 0; c < 16; ++c)
    EXPECT_NEAR(y.get(7, c), 1, dtype() == DType::bf16 ? 4e-3 : 1e-6);
}

// A sequence's rows have the same bits whatever its neighbours and the number of threads.
TEST_P(Attention, ASequenceHasTheSameBitsInEveryBatch) {
  const std::vector<std::int64_t> lengths = {17, 64, 1, 130, 33, 5};
  const std::int64_t heads = 3, head_dim = 20, hidden = heads * head_dim;
  const auto cu_seqlens = boundaries(lengths);
  const auto qkv = Operand::random(dtype(), cu_seqlens.back(), 3 * hidden, random_);
  Operand all(dtype(), cu_seqlens.back(), hidden);
  ops::attention(context_, ops::attention_inputs(qkv.view()),
                 {.heads = heads, .head_dim = head_dim, .cu_seqlens = cu_seqlens}, all.view());
  const auto threads = num_threads();
  for (const int team : {1, 2, 3}) {
    set_num_threads(team);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const auto own = boundaries({lengths[s]});
      Operand y(dtype(), lengths[s], hidden);
      ops::attention(context_,
                     ops::attention_inputs(qkv.view().rows_from(cu_seqlens[s], lengths[s])),
                     {.heads = heads, .head_dim = head_dim, .cu_seqlens = own}, y.view());
      for (std::int64_t r = 0; r < lengths[s]; ++r) {
        ASSERT_TRUE(y.same_bits(r, all, cu_seqlens[s] + r))
            << "sequence " << s << ", row " << r << ", threads " << team;
      }
    }
  }
  set_num_threads(threads);
}

TEST_P(Attention, NotANumberStaysInItsSequence) {
  const auto cu_seqlens = boundaries({9, 8, 40});
  auto qkv = Operand::random(dtype(), 57, 96, random_);
  for (std::int64_t c = 0; c < 96; ++c) qkv.set(12, c, std::numeric_limits<double>::quiet_NaN());
  Operand y(dtype(), 57, 32);
  ops::attention(context_, ops::attention_inputs(qkv.view()),
                 {.heads = 2, .head_dim = 16, .cu_seqlens = cu_seqlens}, y.view());
  for (std::int64_t r = 0; r < 57; ++r) {
    for (std::int64_t c = 0; c < 32; ++c) {
      ASSERT_EQ(std::isnan(y.get(r, c)), r >= 9 && r < 17) << "row " << r << ", column " << c;
    }
  }
}

}  // namespace
}  // namespace cloze::testing
