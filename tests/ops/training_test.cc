// The operations of training against plain references, and their gradients against differences.
#include "reference/training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/dropout.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/operands.h"
#include "ops/rows.h"

namespace cloze::ops {
namespace {

using testing::expect_near;
using testing::normal;
using testing::Operand;
using testing::Random;

std::vector<float> random_floats(std::int64_t count, Random& random, double mean = 0) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& value : values) value = static_cast<float>(mean + normal(random));
  return values;
}

std::vector<double> doubles(std::span<const float> values) {
  return {values.begin(), values.end()};
}

reference::Matrix row_matrix(std::span<const float> values) {
  reference::Matrix matrix(1, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) matrix(0, i) = values[i];
  return matrix;
}

/// Dropout's factors of rows 0, 1, ...
reference::Matrix factors_of(const Dropout& dropout, std::size_t rows, std::size_t cols) {
  reference::Matrix factors(rows, cols);
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    dropout_factors(dropout, static_cast<std::int64_t>(r), row);
    for (std::size_t c = 0; c < cols; ++c) factors(r, c) = row[c];
  }
  return factors;
}

/// Attention's factors as `reference::dropped_attention` takes them: [heads · tokens, longest].
reference::Matrix attention_factors(const Dropout& dropout, const AttentionShape& shape) {
  const auto tokens = static_cast<std::size_t>(shape.cu_seqlens.back());
  std::size_t longest = 0;
  for (std::size_t s = 0; s + 1 < shape.cu_seqlens.size(); ++s) {
    longest =
        std::max(longest, static_cast<std::size_t>(shape.cu_seqlens[s + 1] - shape.cu_seqlens[s]));
  }
  reference::Matrix factors(static_cast<std::size_t>(shape.heads) * tokens, longest);
  for (std::size_t s = 0; s + 1 < shape.cu_seqlens.size(); ++s) {
    const auto first = static_cast<std::size_t>(shape.cu_seqlens[s]);
    const auto length = static_cast<std::size_t>(shape.cu_seqlens[s + 1]) - first;
    const std::size_t keys = (length + kKeyColumns - 1) / kKeyColumns * kKeyColumns;
    std::vector<float> row(length * keys);
    for (std::size_t head = 0; head < static_cast<std::size_t>(shape.heads); ++head) {
      dropout_factors(dropout, static_cast<std::int64_t>(head * tokens + first), row);
      for (std::size_t q = 0; q < length; ++q) {
        for (std::size_t k = 0; k < length; ++k) {
          factors(head * tokens + first + q, k) = row[q * keys + k];
        }
      }
    }
  }
  return factors;
}

AttentionInputs inputs_of(const Operand& qkv) {
  return {.q = attention_part(qkv.view(), 0),
          .k = attention_part(qkv.view(), 1),
          .v = attention_part(qkv.view(), 2)};
}

AttentionGradients gradients_of(Operand& qkv) {
  return {.q = attention_part(qkv.view(), 0),
          .k = attention_part(qkv.view(), 1),
          .v = attention_part(qkv.view(), 2)};
}

void expect_close(std::span<const float> got, const reference::Matrix& wanted, double tolerance) {
  ASSERT_EQ(got.size(), wanted.values.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted.values[i], tolerance * (1 + std::abs(wanted.values[i]))) << i;
  }
}

double tolerance_of(DType dtype) { return dtype == DType::f32 ? 2e-5 : 6e-2; }

std::vector<DType> computes() {
  if (accelerates(DType::bf16)) return {DType::f32, DType::bf16};
  return {DType::f32};
}

class TrainingOps : public ::testing::Test {
 protected:
  TrainingOps() { context.begin(); }
  Context context;
  Random random{2018};
};

TEST_F(TrainingOps, ProductsOfAnyStridesAndTranspositions) {
  struct Case {
    std::int64_t m, n, k;
  };
  for (const DType dtype : computes()) {
    for (const auto& [m, n, k] :
         {Case{1, 1, 1}, {3, 5, 7}, {65, 33, 17}, {200, 70, 40}, {30, 1700, 9}, {1, 40, 300}}) {
      for (int flags = 0; flags < 8; ++flags) {
        const bool a_turned = (flags & 1) != 0, b_turned = (flags & 2) != 0;
        const bool gaps = (flags & 4) != 0;
        const auto a =
            Operand::random(dtype, a_turned ? k : m, a_turned ? m : k, random, 1, gaps ? 3 : 0);
        const auto b =
            Operand::random(dtype, b_turned ? n : k, b_turned ? k : n, random, 1, gaps ? 5 : 0);
        const auto bias = random_floats(n, random);
        const auto left = a_turned ? reference::transposed(a.doubles()) : a.doubles();
        const auto right = b_turned ? b.doubles() : reference::transposed(b.doubles());
        const auto wanted = reference::linear(left, right, doubles(bias));
        Operand c(DType::f32, m, n, gaps ? 1 : 0);
        multiply(context, {a.view(), a_turned}, {b.view(), b_turned}, c.view(), bias);
        const double tolerance = 2e-6 * static_cast<double>(k) + 1e-6;
        expect_near(c, wanted, tolerance);
        Operand rounded(dtype, m, n, gaps ? 2 : 0);
        multiply(context, {a.view(), a_turned}, {b.view(), b_turned}, rounded.view(), bias);
        expect_near(rounded, wanted, tolerance);
        // Added to what is there.
        multiply_add(context, {a.view(), a_turned}, {b.view(), b_turned}, c.view());
        const std::vector<double> none(static_cast<std::size_t>(n));
        expect_near(c, reference::plus(wanted, reference::linear(left, right, none)),
                    2 * tolerance);
      }
    }
  }
}

TEST_F(TrainingOps, DeepProductsAreSummedInSlices) {
  const auto a = Operand::random(DType::f32, 3, 5001, random);
  const auto b = Operand::random(DType::f32, 5001, 4, random);
  Operand c(DType::f32, 3, 4);
  const std::array bias{1.0F, 2.0F, 3.0F, 4.0F};
  multiply(context, {a.view()}, {b.view()}, c.view(), bias);
  expect_near(c, reference::linear(a.doubles(), reference::transposed(b.doubles()), doubles(bias)),
              1e-3);
}

TEST_F(TrainingOps, ProductsRefuseOperandsThatDoNotFit) {
  Operand a(DType::f32, 2, 3), b(DType::f32, 4, 5), c(DType::f32, 2, 5), half(DType::bf16, 3, 5);
  EXPECT_THROW(multiply(context, {a.view()}, {b.view()}, c.view()), ArgumentError);
  EXPECT_THROW(multiply(context, {a.view()}, {half.view()}, c.view()), ArgumentError);
  Operand empty(DType::f32, 2, 0), none(DType::f32, 0, 5);
  EXPECT_THROW(multiply(context, {empty.view()}, {none.view()}, c.view()), ArgumentError);
}

TEST_F(TrainingOps, DropoutIsAFunctionOfSeedStreamRowAndColumn) {
  const Dropout dropout{.probability = 0.1F, .seed = 77, .stream = 0x123456789AULL};
  const auto threshold = static_cast<std::uint32_t>(std::lround(0.1 * 65536));
  const float kept = 65536.0F / static_cast<float>(65536 - threshold);
  for (const std::int64_t row : {0L, 5L, 100000L}) {
    std::vector<float> factors(300);
    dropout_factors(dropout, row, factors);
    const Philox philox(dropout.seed, dropout.stream);
    for (std::size_t column = 0; column < factors.size(); ++column) {
      const std::size_t within = column % 128, word = within / 32, lane = within % 16;
      const auto block =
          philox.block(static_cast<std::uint64_t>(row) << 32U | (column / 128 * 16 + lane));
      const std::uint32_t bits =
          within % 32 < 16 ? block.at(word) & 0xFFFFU : block.at(word) >> 16U;
      ASSERT_EQ(factors[column], bits < threshold ? 0.0F : kept) << row << ' ' << column;
    }
  }
}

TEST_F(TrainingOps, DropoutDropsItsShareAndKeepsTheMean) {
  for (const float probability : {0.1F, 0.5F}) {
    std::vector<float> factors(1000);
    double zeros = 0, sum = 0;
    constexpr int rows = 1000;
    for (int row = 0; row < rows; ++row) {
      dropout_factors({.probability = probability, .seed = 3, .stream = 9}, row, factors);
      for (const float factor : factors) {
        zeros += factor == 0 ? 1 : 0;
        sum += factor;
      }
    }
    const double count = rows * 1000.0;
    // Five standard deviations of a million draws.
    EXPECT_NEAR(zeros / count, probability, 5 * std::sqrt(0.25 / count));
    EXPECT_NEAR(sum / count, 1.0, 1e-2);
  }
  std::vector<float> ones(64);
  dropout_factors({.probability = 0, .seed = 3, .stream = 9}, 0, ones);
  for (const float one : ones) EXPECT_EQ(one, 1.0F);
}

TEST_F(TrainingOps, ResidualNormAndItsGradients) {
  for (const DType dtype : computes()) {
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{1, 5}, {3, 16}, {2, 33}, {70, 7}}) {
      const Dropout dropout{.probability = 0.3F, .seed = 1, .stream = 2};
      const auto x = Operand::random(dtype, rows, cols, random);
      const auto residual = Operand::random(dtype, rows, cols, random);
      const auto gamma = random_floats(cols, random, 1), beta = random_floats(cols, random);
      const auto factors =
          factors_of(dropout, static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
      const auto norm = [&](const reference::Matrix& in, const reference::Matrix& rest,
                            std::span<const double> scale, std::span<const double> shift) {
        return reference::layer_norm(reference::plus(reference::times(in, factors), rest), scale,
                                     shift, 1e-3);
      };
      Operand normalized(dtype, rows, cols), y(dtype, rows, cols);
      std::vector<float> inverse(static_cast<std::size_t>(rows));
      const SavedNorm saved{normalized.view(), inverse};
      residual_norm(context, {.x = x.view(),
                              .dropout = dropout,
                              .residual = residual.view(),
                              .parameters = {.gamma = gamma, .beta = beta, .epsilon = 1e-3F},
                              .saved = saved,
                              .y = y.view()});
      expect_near(y, norm(x.doubles(), residual.doubles(), doubles(gamma), doubles(beta)), 1e-4);

      const auto d_y = Operand::random(DType::f32, rows, cols, random);
      const auto weights = d_y.doubles();
      Operand d_z(DType::f32, rows, cols), d_x(dtype, rows, cols);
      const auto begin = random_floats(3 * cols, random);  // what is there is added to
      auto sums = begin;
      const auto part = [&sums, width = static_cast<std::size_t>(cols)](std::size_t index) {
        return std::span(sums).subspan(index * width, width);
      };
      residual_norm_backward(context,
                             {.d_y = d_y.view(),
                              .saved = saved,
                              .dropout = dropout,
                              .gamma = gamma,
                              .d_z = d_z.view(),
                              .d_x = d_x.view(),
                              .gradients = {.gamma = part(0), .beta = part(1), .bias = part(2)}});
      const double tolerance = 20 * tolerance_of(dtype);
      const auto wanted_z = reference::gradient(
          [&](const reference::Matrix& rest) {
            return reference::inner(norm(x.doubles(), rest, doubles(gamma), doubles(beta)),
                                    weights);
          },
          residual.doubles());
      expect_near(d_z, wanted_z, tolerance);
      expect_near(d_x, reference::times(wanted_z, factors), tolerance);
      auto wanted = row_matrix(begin);
      const auto gamma_gradient = reference::gradient(
          [&](const reference::Matrix& scale) {
            return reference::inner(
                norm(x.doubles(), residual.doubles(), scale.values, doubles(beta)), weights);
          },
          row_matrix(gamma));
      const auto dropped = reference::times(wanted_z, factors);
      for (std::size_t c = 0; c < static_cast<std::size_t>(cols); ++c) {
        wanted(0, c) += gamma_gradient(0, c);
        for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
          wanted(0, static_cast<std::size_t>(cols) + c) += weights(r, c);
          wanted(0, 2 * static_cast<std::size_t>(cols) + c) += dropped(r, c);
        }
      }
      expect_close(sums, wanted, 10 * tolerance);
    }
  }
}

TEST_F(TrainingOps, ActivationsAndTheirSlopes) {
  struct Case {
    Epilogue activation;
    double (*plain)(double);
  };
  for (const auto& [activation, plain] :
       {Case{Epilogue::gelu, reference::gelu}, Case{Epilogue::gelu_tanh, reference::gelu_tanh},
        Case{Epilogue::relu, reference::relu}, Case{Epilogue::silu, reference::silu},
        Case{Epilogue::tanh, [](double x) { return std::tanh(x); }}}) {
    for (const DType dtype : computes()) {
      const auto x = Operand::random(dtype, 37, 19, random, 3);
      const auto d_y = Operand::random(dtype, 37, 19, random);
      const auto apply = [plain = plain](reference::Matrix values) {
        for (auto& value : values.values) value = plain(value);
        return values;
      };
      Operand y(dtype, 37, 19), again(dtype, 37, 19), d_x(dtype, 37, 19);
      activate(context, x.view(), activation, y.view());
      expect_near(y, apply(x.doubles()), 2e-6);
      std::vector<float> bias(19, 1.0F);
      activate_backward(context, {.x = x.view(),
                                  .activation = activation,
                                  .d_y = d_y.view(),
                                  .d_x = d_x.view(),
                                  .y = again.view(),
                                  .bias_gradient = bias});
      expect_near(again, apply(x.doubles()), 2e-6);
      const auto weights = d_y.doubles();
      const auto wanted = reference::gradient(
          [&](const reference::Matrix& values) { return reference::inner(apply(values), weights); },
          x.doubles());
      expect_near(d_x, wanted, 1e-5);
      reference::Matrix sums(1, 19);
      for (std::size_t c = 0; c < 19; ++c) {
        sums(0, c) = 1;
        for (std::size_t r = 0; r < 37; ++r) sums(0, c) += wanted(r, c);
      }
      expect_close(bias, sums, 1e-4);
    }
  }
}

TEST_F(TrainingOps, AttentionWithDropoutAndItsGradient) {
  constexpr std::int64_t heads = 2, head_dim = 6;
  const std::vector<std::int32_t> cu_seqlens{0, 1, 8, 11};
  const std::int64_t tokens = cu_seqlens.back();
  const AttentionShape shape{.heads = heads, .head_dim = head_dim, .cu_seqlens = cu_seqlens};
  for (const DType dtype : computes()) {
    for (const float probability : {0.0F, 0.25F}) {
      const Dropout dropout{.probability = probability, .seed = 4, .stream = 5};
      const auto factors = attention_factors(dropout, shape);
      const auto qkv = Operand::random(dtype, tokens, 3 * heads * head_dim, random);
      const auto plain = [&](const reference::Matrix& values) {
        return reference::dropped_attention(values, heads, head_dim, cu_seqlens, factors);
      };
      Operand y(dtype, tokens, heads * head_dim);
      attention(context, inputs_of(qkv), shape, y.view(), {.dropout = dropout});
      expect_near(y, plain(qkv.doubles()), tolerance_of(dtype) / 4);
      const auto d_y = Operand::random(dtype, tokens, heads * head_dim, random);
      const auto weights = d_y.doubles();
      Operand d_qkv(dtype, tokens, 3 * heads * head_dim);
      attention_backward(context, {.in = inputs_of(qkv),
                                   .shape = shape,
                                   .dropout = dropout,
                                   .d_y = d_y.view(),
                                   .out = gradients_of(d_qkv)});
      expect_near(d_qkv,
                  reference::gradient(
                      [&](const reference::Matrix& values) {
                        return reference::inner(plain(values), weights);
                      },
                      qkv.doubles()),
                  tolerance_of(dtype));
    }
  }
}

// Queries beyond the first tile, whose keys' and values' gradients are sums over tiles. A
// direction's difference stands for the gradient, of which there are too many elements to take one
// by one.
TEST_F(TrainingOps, LongAttentionIsSummedOverTiles) {
  constexpr std::int64_t heads = 1, head_dim = 4;
  const std::vector<std::int32_t> cu_seqlens{0, 300, 429};
  const AttentionShape shape{.heads = heads, .head_dim = head_dim, .cu_seqlens = cu_seqlens};
  const Dropout dropout{.probability = 0.1F, .seed = 6, .stream = 7};
  const auto factors = attention_factors(dropout, shape);
  const auto qkv = Operand::random(DType::f32, 429, 12, random);
  const auto d_y = Operand::random(DType::f32, 429, 4, random);
  const auto weights = d_y.doubles();
  Operand d_qkv(DType::f32, 429, 12);
  attention_backward(context, {.in = inputs_of(qkv),
                               .shape = shape,
                               .dropout = dropout,
                               .d_y = d_y.view(),
                               .out = gradients_of(d_qkv)});
  for (std::size_t part = 0; part < 3; ++part) {  // queries, keys, values
    auto direction = reference::Matrix(429, 12);
    for (std::size_t r = 0; r < 429; ++r) {
      for (std::size_t c = 4 * part; c < 4 * part + 4; ++c) direction(r, c) = normal(random);
    }
    const auto along = [&](double step) {
      auto moved = qkv.doubles();
      for (std::size_t i = 0; i < moved.values.size(); ++i) {
        moved.values[i] += step * direction.values[i];
      }
      return reference::inner(
          reference::dropped_attention(moved, heads, head_dim, cu_seqlens, factors), weights);
    };
    const double wanted = (along(1e-5) - along(-1e-5)) / 2e-5;
    EXPECT_NEAR(reference::inner(d_qkv.doubles(), direction), wanted, 2e-3) << part;
  }
}

// Queries of some tokens get what they get among all, and give the keys and values the gradients
// that all give when the others' are zero. Dropout counts a sequence's queries, so that only its
// first tokens have the same mask in both.
TEST_F(TrainingOps, AttentionOfSomeTokens) {
  constexpr std::int64_t heads = 3, head_dim = 4, hidden = heads * head_dim;
  const std::vector<std::int32_t> cu_seqlens{0, 1, 8, 108, 110};
  const std::int64_t tokens = cu_seqlens.back();
  const AttentionShape shape{.heads = heads, .head_dim = head_dim, .cu_seqlens = cu_seqlens};
  struct Case {
    std::vector<std::int32_t> queries, cu_queries;
    float dropped;
  };
  std::vector<std::int32_t> many{0};
  for (std::int32_t token = 8; token < 108; token += token % 3 == 0 ? 2 : 1) many.push_back(token);
  const auto count = static_cast<std::int32_t>(many.size());
  const std::vector<Case> cases{{{0, 1, 8, 108}, {0, 1, 2, 3, 4}, 0.25F},
                                {{2, 7, 9, 50, 107, 109}, {0, 0, 2, 5, 6}, 0},
                                {many, {0, 1, 1, count, count}, 0}};
  for (const DType dtype : computes()) {
    for (const auto& [queries, cu_queries, dropped] : cases) {
      const Dropout dropout{.probability = dropped, .seed = 4, .stream = 5};
      const auto chosen = static_cast<std::int64_t>(queries.size());
      const auto qkv = Operand::random(dtype, tokens, 3 * hidden, random);
      Operand all(dtype, tokens, hidden), some(dtype, chosen, hidden);
      Operand q(dtype, chosen, hidden), wanted(dtype, chosen, hidden);
      attention(context, inputs_of(qkv), shape, all.view(), {.dropout = dropout});
      gather_rows(context, inputs_of(qkv).q, queries, q.view());
      auto inputs = inputs_of(qkv);
      inputs.q = q.view();
      inputs.cu_queries = cu_queries;
      attention(context, inputs, shape, some.view(), {.dropout = dropout});
      gather_rows(context, all.view(), queries, wanted.view());
      expect_near(some, wanted.doubles(), 0);

      const auto d_some = Operand::random(dtype, chosen, hidden, random);
      Operand d_all(dtype, tokens, hidden), d_qkv(dtype, tokens, 3 * hidden);
      std::memset(d_all.view().data, 0, static_cast<std::size_t>(tokens * hidden) * size_of(dtype));
      for (std::int64_t i = 0; i < chosen; ++i) {
        std::memcpy(d_all.view().row(queries[static_cast<std::size_t>(i)]), d_some.view().row(i),
                    static_cast<std::size_t>(hidden) * size_of(dtype));
      }
      attention_backward(context, {.in = inputs_of(qkv),
                                   .shape = shape,
                                   .dropout = dropout,
                                   .d_y = d_all.view(),
                                   .out = gradients_of(d_qkv)});
      Operand d_got(dtype, tokens, 3 * hidden), d_q(dtype, chosen, hidden);
      auto gradients = gradients_of(d_got);
      gradients.q = d_q.view();
      attention_backward(context, {.in = inputs,
                                   .shape = shape,
                                   .dropout = dropout,
                                   .d_y = d_some.view(),
                                   .out = gradients});
      Operand d_wanted(dtype, chosen, hidden);
      gather_rows(context, gradients_of(d_qkv).q, queries, d_wanted.view());
      expect_near(d_q, d_wanted.doubles(), 0);
      // The sums over a sequence's queries are taken in another order.
      const double tolerance = dtype == DType::f32 ? 1e-5 : 2e-2;
      const auto got = d_got.doubles(), whole = d_qkv.doubles();
      for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
        for (std::size_t c = hidden; c < 3 * hidden; ++c) {
          ASSERT_NEAR(got(t, c), whole(t, c), tolerance * (1 + std::abs(whole(t, c)))) << t;
        }
      }
    }
  }
}

TEST_F(TrainingOps, EmbeddingsAndTheirGradients) {
  const auto word = Operand::random(DType::f32, 9, 37, random);
  const auto position = Operand::random(DType::f32, 5, 37, random);
  const auto type = Operand::random(DType::f32, 2, 37, random);
  const std::vector<std::int32_t> ids{3, 0, 3, 8, 3}, positions{0, 1, 2, 0, 1},
      types{0, 1, 1, 0, 0};
  const EmbeddingIndices indices{ids, positions, types};
  Operand z(DType::f32, 5, 37);
  embedding_sum(context, {word.view(), position.view(), type.view()}, indices, z.view());
  reference::Matrix wanted(5, 37), d_word(9, 37);
  const auto d_z = Operand::random(DType::f32, 5, 37, random);
  for (std::size_t t = 0; t < 5; ++t) {
    for (std::size_t c = 0; c < 37; ++c) {
      const auto col = static_cast<std::int64_t>(c);
      wanted(t, c) =
          word.get(ids[t], col) + position.get(positions[t], col) + type.get(types[t], col);
      if (ids[t] != 0) {
        d_word(static_cast<std::size_t>(ids[t]), c) += d_z.get(static_cast<std::int64_t>(t), col);
      }
    }
  }
  expect_near(z, wanted, 1e-6);
  Operand word_gradient(DType::f32, 9, 37), position_gradient(DType::f32, 5, 37),
      type_gradient(DType::f32, 2, 37);
  for (auto* operand : {&word_gradient, &position_gradient, &type_gradient}) {
    for (std::int64_t r = 0; r < operand->view().rows; ++r) {
      for (std::int64_t c = 0; c < 37; ++c) operand->set(r, c, 0);
    }
  }
  embedding_sum_backward(context, d_z.view(), indices,
                         {.word = word_gradient.view(),
                          .position = position_gradient.view(),
                          .token_type = type_gradient.view(),
                          .padding = 0});
  expect_near(word_gradient, d_word, 1e-6);
  EXPECT_NEAR(type_gradient.get(1, 36), d_z.get(1, 36) + d_z.get(2, 36), 1e-6);
  EXPECT_NEAR(position_gradient.get(1, 0), d_z.get(1, 0) + d_z.get(4, 0), 1e-6);
}

TEST_F(TrainingOps, CrossEntropyAndItsGradient) {
  for (const std::int64_t classes : {2, 17, 2500}) {
    auto logits = Operand::random(DType::f32, 4, classes, random, 4);
    const auto last = static_cast<std::int32_t>(classes - 1);
    const std::vector<std::int32_t> labels{0, last, 1, last / 2};
    logits.set(1, last, 1000);  // certain, and right
    double loss = 0;
    std::int64_t correct = 0;
    reference::Matrix wanted(4, static_cast<std::size_t>(classes));
    for (std::int64_t r = 0; r < 4; ++r) {
      double most = -1e30, sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) most = std::max(most, logits.get(r, c));
      for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(logits.get(r, c) - most);
      const auto label = labels[static_cast<std::size_t>(r)];
      loss += most + std::log(sum) - logits.get(r, label);
      correct += logits.get(r, label) == most ? 1 : 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        wanted(static_cast<std::size_t>(r), static_cast<std::size_t>(c)) =
            0.25 * (std::exp(logits.get(r, c) - most) / sum - (c == label ? 1 : 0));
      }
    }
    const auto alone = cross_entropy(context, logits.view(), labels, {0.25, {}}).get();
    EXPECT_NEAR(alone.sum, loss, 1e-6 * loss);
    EXPECT_EQ(alone.correct, correct);
    if (accelerates(DType::bf16)) {
      Operand rounded(DType::bf16, 4, classes);
      static_cast<void>(cross_entropy(context, logits.view(), labels, {0.25, rounded.view()}));
      expect_near(rounded, wanted, 2e-7);
    }
    if (accelerates(DType::bf16)) {  // in the place of the logits, half as wide
      Operand copy(DType::f32, 4, classes);
      for (std::int64_t r = 0; r < 4; ++r) {
        for (std::int64_t c = 0; c < classes; ++c) copy.set(r, c, logits.get(r, c));
      }
      Matrix narrow = copy.view();
      narrow = {narrow.data, DType::bf16, narrow.rows, narrow.cols, 2 * narrow.stride};
      const auto result = cross_entropy(context, copy.view(), labels, {0.25, narrow}).get();
      EXPECT_EQ(result.sum, alone.sum);
      for (std::int64_t r = 0; r < 4; ++r) {
        const auto* row = reinterpret_cast<const BFloat16*>(narrow.row(r));
        for (std::int64_t c = 0; c < classes; ++c) {
          const double wished = wanted(static_cast<std::size_t>(r), static_cast<std::size_t>(c));
          ASSERT_NEAR(static_cast<float>(row[c]), wished, 1e-7 + std::abs(wished) / 250);
        }
      }
    }
    const auto inside = cross_entropy(context, logits.view(), labels, {0.25, logits.view()}).get();
    EXPECT_EQ(inside.sum, alone.sum);
    expect_near(logits, wanted, 2e-7);  // without FMA too
  }
  Operand logits = Operand::random(DType::f32, 1, 3, random);
  const std::vector<std::int32_t> outside{3};
  EXPECT_THROW(static_cast<void>(cross_entropy(context, logits.view(), outside, {})),
               ArgumentError);
}

TEST_F(TrainingOps, ColumnSumsHaveTheSameBitsAtAnyNumberOfThreads) {
  const auto x = Operand::random(DType::f32, 500, 300, random);
  std::vector<std::vector<float>> sums;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Context own;
    own.begin();
    sums.emplace_back(300, 0.5F);
    add_column_sums(own, x.view(), sums.back());
  }
  set_num_threads(0);
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(sums[0], sums[2]);
}

}  // namespace
}  // namespace cloze::ops
