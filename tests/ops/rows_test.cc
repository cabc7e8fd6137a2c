// The row-wise operations (layer_norm, embed, gather_rows, convert, for_row_tiles) against their
// plain versions.
#include "ops/rows.h"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/tensor.h"
#include "core/parallel.h"
#include "ops/device.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/operands.h"
#include "ops/row_tiles.h"
#include "reference/ops.h"

namespace cloze::testing {
namespace {

constexpr DType both[] = {DType::f32, DType::bf16};

struct Norm {
  ops::NormParameters weight;
  std::vector<double> gamma, beta;

  Norm(std::int64_t cols, float epsilon, Random& random) {
    std::vector<float> scale, shift;
    for (std::int64_t i = 0; i < cols; ++i) {
      scale.push_back(static_cast<float>(1 + 0.3 * normal(random)));
      shift.push_back(static_cast<float>(0.3 * normal(random)));
      gamma.push_back(scale.back());
      beta.push_back(shift.back());
    }
    weight = make_norm(std::move(scale), std::move(shift), epsilon);
  }
  [[nodiscard]] reference::Matrix expected(const reference::Matrix& x) const {
    return reference::layer_norm(x, gamma, beta, weight.epsilon);
  }
};

std::vector<std::int64_t> widths() {
  auto all = awkward_sizes;
  all.insert(all.end(), {384, 385, 768, 1024});
  return all;
}

TEST(LayerNorm, EveryAwkwardWidth) {
  ops::Context context;
  Random random(1);
  for (const auto cols : widths()) {
    const Norm norm(cols, 1e-5F, random);
    for (const auto from : both) {
      for (const auto to : both) {
        for (const std::int64_t rows : {1, 3, 70}) {
          SCOPED_TRACE(::testing::Message()
                       << rows << " x " << cols << ", " << name_of(from) << " to " << name_of(to));
          const auto x = Operand::random(from, rows, cols, random, 3, 5);
          Operand y(to, rows, cols, 2);
          ops::layer_norm(context, x.view(), norm.weight, y.view());
          // Two columns whose values nearly agree divide by a small deviation.
          expect_near(y, norm.expected(x.doubles()), cols < 4 ? 2e-4 : 1e-5);
        }
      }
    }
  }
}

TEST(LayerNorm, InPlace) {
  ops::Context context;
  Random random(2);
  for (const auto dtype : both) {
    const Norm norm(100, 1e-12F, random);
    auto x = Operand::random(dtype, 50, 100, random, 2);
    const auto expected = norm.expected(x.doubles());
    ops::layer_norm(context, x.view(), norm.weight, x.view());
    expect_near(x, expected, 1e-5);
  }
}

TEST(LayerNorm, ALargeMeanDoesNotEatTheVariance) {
  ops::Context context;
  Random random(3);
  const Norm norm(384, 1e-12F, random);
  auto x = Operand::random(DType::f32, 10, 384, random);
  for (std::int64_t r = 0; r < 10; ++r) {
    for (std::int64_t c = 0; c < 384; ++c) x.set(r, c, x.get(r, c) + 1000);
  }
  Operand y(DType::f32, 10, 384);
  ops::layer_norm(context, x.view(), norm.weight, y.view());
  // The mean itself is known to one rounding of 1000 in f32.
  expect_near(y, norm.expected(x.doubles()), 5e-4);
}

TEST(LayerNorm, ARowOfOneValueIsBeta) {
  ops::Context context;
  Random random(4);
  for (const float epsilon : {1e-12F, 1e-5F}) {
    const Norm norm(48, epsilon, random);
    Operand x(DType::f32, 2, 48);
    for (std::int64_t c = 0; c < 48; ++c) {
      x.set(0, c, 0);
      x.set(1, c, 0.5);  // a sum of 48 of them is exact
    }
    Operand y(DType::f32, 2, 48);
    ops::layer_norm(context, x.view(), norm.weight, y.view());
    expect_near(y, norm.expected(x.doubles()), 1e-6);
  }
}

TEST(LayerNorm, TheEpsilonOfTheConfigMatters) {
  ops::Context context;
  Random random(5);
  const auto x = Operand::random(DType::f32, 4, 32, random, 1e-4);
  for (const float epsilon : {1e-12F, 1e-8F, 1e-5F}) {
    const Norm norm(32, epsilon, random);
    Operand y(DType::f32, 4, 32);
    ops::layer_norm(context, x.view(), norm.weight, y.view());
    expect_near(y, norm.expected(x.doubles()), 1e-5);
  }
}

TEST(LayerNorm, ARowHasTheSameBitsInEveryBatch) {
  ops::Context context;
  Random random(6);
  const Norm norm(100, 1e-12F, random);
  const auto x = Operand::random(DType::f32, 300, 100, random);
  Operand all(DType::f32, 300, 100);
  ops::layer_norm(context, x.view(), norm.weight, all.view());
  for (const std::int64_t rows : {1, 7, 64, 150}) {
    Operand part(DType::f32, rows, 100);
    ops::layer_norm(context, x.view().rows_from(300 - rows, rows), norm.weight, part.view());
    for (std::int64_t r = 0; r < rows; ++r) ASSERT_TRUE(part.same_bits(r, all, 300 - rows + r));
  }
}

TEST(LayerNorm, NotANumberStaysInItsRow) {
  ops::Context context;
  Random random(7);
  const Norm norm(40, 1e-12F, random);
  auto x = Operand::random(DType::f32, 20, 40, random);
  x.set(11, 39, std::numeric_limits<double>::quiet_NaN());
  Operand y(DType::f32, 20, 40);
  ops::layer_norm(context, x.view(), norm.weight, y.view());
  for (std::int64_t r = 0; r < 20; ++r) {
    for (std::int64_t c = 0; c < 40; ++c) ASSERT_EQ(std::isnan(y.get(r, c)), r == 11);
  }
}

TEST(Embed, EveryAwkwardWidthAndDtype) {
  ops::Context context;
  Random random(8);
  for (const auto cols : widths()) {
    for (const auto stored : {DType::f32, DType::f16, DType::bf16}) {
      for (const auto result : both) {
        SCOPED_TRACE(::testing::Message()
                     << "hidden " << cols << ", " << name_of(stored) << " to " << name_of(result));
        const auto word = Operand::random(stored, 19, cols, random);
        const auto position = Operand::random(stored, 11, cols, random);
        const auto token_type = Operand::random(stored, 3, cols, random);
        const Norm norm(cols, 1e-5F, random);
        const std::size_t tokens = 37;
        std::vector<std::int32_t> ids, positions, types;
        reference::Matrix sum(tokens, static_cast<std::size_t>(cols));
        for (std::size_t t = 0; t < tokens; ++t) {
          ids.push_back(static_cast<std::int32_t>((t * 7 + 18) % 19));
          positions.push_back(static_cast<std::int32_t>(t % 11));
          types.push_back(static_cast<std::int32_t>((t / 5) % 3));
          for (std::int64_t c = 0; c < cols; ++c) {
            sum(t, static_cast<std::size_t>(c)) =
                word.get(ids[t], c) + position.get(positions[t], c) + token_type.get(types[t], c);
          }
        }
        Operand y(result, static_cast<std::int64_t>(tokens), cols, 3);
        ops::embed(
            context,
            {.word = word.view(), .position = position.view(), .token_type = token_type.view()},
            {.input_ids = ids, .position_ids = positions, .token_type_ids = types}, norm.weight,
            y.view());
        expect_near(y, norm.expected(sum), cols < 4 ? 5e-4 : 1e-5);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(GatherRows, AnyOrderAndDtype) {
  ops::Context context;
  Random random(9);
  for (const auto cols : awkward_sizes) {
    for (const auto from : both) {
      for (const auto to : both) {
        SCOPED_TRACE(::testing::Message()
                     << cols << ", " << name_of(from) << " to " << name_of(to));
        const auto x = Operand::random(from, 12, cols, random, 1, 1);
        const std::vector<std::int32_t> indices = {11, 0, 0, 5, 11, 3};
        Operand y(to, 6, cols, 4);
        ops::gather_rows(context, x.view(), indices, y.view());
        reference::Matrix expected(6, static_cast<std::size_t>(cols));
        for (std::int64_t r = 0; r < 6; ++r) {
          for (std::int64_t c = 0; c < cols; ++c) {
            expected(static_cast<std::size_t>(r), static_cast<std::size_t>(c)) =
                x.get(indices[static_cast<std::size_t>(r)], c);
          }
        }
        expect_near(y, expected, 0);
        Operand none(to, 0, cols);
        EXPECT_NO_THROW(ops::gather_rows(context, x.view(), {}, none.view()));
      }
    }
  }
}

TEST(Convert, RoundsToNearestEven) {
  ops::Context context;
  Random random(10);
  for (const auto cols : awkward_sizes) {
    for (const auto from : both) {
      for (const auto to : both) {
        SCOPED_TRACE(::testing::Message()
                     << cols << ", " << name_of(from) << " to " << name_of(to));
        const auto x = Operand::random(from, 21, cols, random, 1, 3);
        Operand y(to, 21, cols, 1);
        ops::convert(context, x.view(), y.view());
        Operand expected(to, 21, cols);  // Operand::set rounds as BFloat16::from does
        for (std::int64_t r = 0; r < 21; ++r) {
          for (std::int64_t c = 0; c < cols; ++c) expected.set(r, c, x.get(r, c));
        }
        for (std::int64_t r = 0; r < 21; ++r) ASSERT_TRUE(y.same_bits(r, expected, r)) << r;
        y.expect_untouched_outside();
      }
    }
  }
}

TEST(Convert, KeepsWhatIsNoNumberAndTheInfinities) {
  ops::Context context;
  constexpr auto infinity = std::numeric_limits<float>::infinity();
  constexpr auto nan = std::numeric_limits<float>::quiet_NaN();
  // The largest float rounds up to infinity in bf16, as every nearest rounding does.
  const std::vector<float> values = {0.0F,
                                     -0.0F,
                                     infinity,
                                     -infinity,
                                     nan,
                                     std::numeric_limits<float>::max(),
                                     std::numeric_limits<float>::denorm_min(),
                                     1.00390625F};
  Operand x(DType::f32, 1, 35);
  for (std::int64_t c = 0; c < 35; ++c)
    x.set(0, c, values[static_cast<std::size_t>(c) % values.size()]);
  Operand y(DType::bf16, 1, 35);
  ops::convert(context, x.view(), y.view());
  for (std::int64_t c = 0; c < 35; ++c) {
    const auto value = values[static_cast<std::size_t>(c) % values.size()];
    const auto expected = static_cast<float>(BFloat16::from(value));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(y.get(0, c)));
    } else {
      EXPECT_EQ(y.get(0, c), expected) << value;
      EXPECT_EQ(std::signbit(y.get(0, c)), std::signbit(value)) << value;
    }
  }
}

TEST(RowTiles, EveryRowOnceAndNoWorkerTwiceAtATime) {
  const auto before = num_threads();
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (const std::int64_t rows : {0, 1, 2, 23, 47, 48, 49, 64, 65, 127, 500, 1025}) {
      SCOPED_TRACE(::testing::Message() << rows << " rows, " << threads << " threads");
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(rows));
      std::vector<std::atomic<int>> busy(static_cast<std::size_t>(threads));
      std::atomic<int> faults = 0;
      ops::Context context;
      const auto tiles = ops::row_tiles(context, rows);
      EXPECT_EQ(tiles.workers, threads);
      const auto visit = [&](std::int64_t begin, std::int64_t count, int worker) {
        if (worker < 0 || worker >= threads || begin < 0 || count <= 0 || begin + count > rows ||
            count > tiles.rows) {
          ++faults;
          return;
        }
        if (++busy[static_cast<std::size_t>(worker)] != 1) ++faults;
        for (std::int64_t r = begin; r < begin + count; ++r) ++visits[static_cast<std::size_t>(r)];
        --busy[static_cast<std::size_t>(worker)];
      };
      ops::for_row_tiles(context, rows, visit);
      EXPECT_EQ(faults, 0);
      for (const auto& count : visits) ASSERT_EQ(count, 1);
    }
  }
  set_num_threads(before);
}

TEST(RowTiles, AnExceptionReachesTheCaller) {
  for (const std::int64_t rows : {1, 1000}) {
    ops::Context context;
    const auto stop = [](std::int64_t begin, std::int64_t, int) {
      if (begin == 0) throw std::runtime_error("stop");
    };
    EXPECT_THROW(ops::for_row_tiles(context, rows, stop), std::runtime_error);
  }
}

TEST(GemmRate, MeasuresSomething) {
  const std::vector<ops::GemmShape> shapes = {{.m = 32, .n = 64, .k = 64, .count = 2}};
  EXPECT_GT(ops::gemm_rate(ops::cpu(), shapes, DType::f32, 3), 0);
  if (ops::accelerates(DType::bf16)) {
    EXPECT_GT(ops::gemm_rate(ops::cpu(), shapes, DType::bf16, 3), 0);
  }
  EXPECT_TRUE(ops::accelerates(DType::f32));
}

}  // namespace
}  // namespace cloze::testing
