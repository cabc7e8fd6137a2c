#include "checkpoint/finite.h"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tensor.h"

namespace cloze {
namespace {

TEST(Finite, OneOfManyIsFound) {
  std::vector<float> values(10'007, std::numeric_limits<float>::max());
  EXPECT_TRUE(all_finite(values));
  EXPECT_TRUE(all_finite(std::span<const float>()));
  for (const std::size_t at : {0UL, 4095UL, 4096UL, 10'006UL}) {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
          std::numeric_limits<float>::quiet_NaN()}) {
      auto spoilt = values;
      spoilt[at] = bad;
      EXPECT_FALSE(all_finite(spoilt)) << at;
    }
  }
}

TEST(Finite, EveryKindOfNumber) {
  for (const auto dtype : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
    const std::vector<float> good{1, -2, 0.5F};
    const std::vector<float> bad{1, std::numeric_limits<float>::quiet_NaN(), 2};
    EXPECT_TRUE(all_finite(Tensor::from<float>({3}, good).to(dtype))) << name_of(dtype);
    EXPECT_FALSE(all_finite(Tensor::from<float>({3}, bad).to(dtype))) << name_of(dtype);
  }
  const std::vector<std::int64_t> whole{-1, 1};
  EXPECT_TRUE(all_finite(Tensor::from<std::int64_t>({2}, whole)));
}

}  // namespace
}  // namespace cloze
