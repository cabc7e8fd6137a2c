// A whole encoder layer, and the input embeddings, against their plain versions.
#include "bert/encoder_layer.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bert/embeddings.h"
#include "cloze/batch.h"
#include "cloze/tensor.h"
#include "core/parallel.h"
#include "ops/linear.h"
#include "ops/machine.h"
#include "ops/norm.h"
#include "ops/operands.h"
#include "reference/encoder_layer.h"

namespace cloze::testing {
namespace {

struct Sizes {
  std::int64_t hidden, heads, intermediate;
};

// The same random layer, packed and plain.
struct Layers {
  nn::EncoderLayer packed;
  reference::EncoderLayer plain;

  Layers(const Sizes& sizes, DType compute, ops::Epilogue activation,
         std::function<double(double)> plain_activation, Random& random) {
    const auto linear = [&](std::initializer_list<reference::Linear*> parts, std::int64_t out,
                            std::int64_t in) {
      std::vector<Tensor> weights, biases;
      for (auto* part : parts) {
        const auto weight =
            Operand::random(compute, out, in, random, 1.2 / std::sqrt(static_cast<double>(in)));
        const auto bias = Operand::random(DType::f32, 1, out, random, 0.3);
        weights.push_back(weight.tensor());
        biases.push_back(bias.tensor().reshaped({out}));
        *part = {.weight = weight.doubles(), .bias = bias.doubles().values};
      }
      return ops::LinearWeight::pack(weights, biases, compute);
    };
    const auto norm = [&](reference::LayerNorm& to) {
      std::vector<float> gamma, beta;
      to.epsilon = 1e-6F;
      for (std::int64_t i = 0; i < sizes.hidden; ++i) {
        gamma.push_back(static_cast<float>(1 + 0.2 * normal(random)));
        beta.push_back(static_cast<float>(0.2 * normal(random)));
        to.gamma.push_back(gamma.back());
        to.beta.push_back(beta.back());
      }
      return make_norm(std::move(gamma), std::move(beta), 1e-6F);
    };
    const auto hidden = sizes.hidden;
    packed.qkv = linear({&plain.query, &plain.key, &plain.value}, hidden, hidden);
    packed.attention_output = linear({&plain.attention_output}, hidden, hidden);
    packed.attention_norm = norm(plain.attention_norm);
    packed.intermediate = linear({&plain.intermediate}, sizes.intermediate, hidden);
    packed.output = linear({&plain.output}, hidden, sizes.intermediate);
    packed.output_norm = norm(plain.output_norm);
    packed.activation = activation;
    packed.heads = sizes.heads;
    plain.activation = std::move(plain_activation);
    plain.heads = static_cast<std::size_t>(sizes.heads);
  }
};

class EncoderLayer : public ::testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!testing::computes(GetParam())) GTEST_SKIP() << "this machine does not multiply in it";
  }

  static double tolerance() { return GetParam() == DType::f32 ? 1e-5 : 0.08; }

  ops::Context context_;
  Random random_{2018};
};
INSTANTIATE_TEST_SUITE_P(Dtypes, EncoderLayer, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST_P(EncoderLayer, MatchesThePlainOne) {
  const std::vector<Sizes> all = {{24, 3, 37}, {64, 1, 96},  {32, 4, 128},
                                  {17, 1, 5},  {96, 8, 384}, {1, 1, 1}};
  const std::vector<std::vector<std::int32_t>> batches = {
      {0, 1}, {0, 7, 8, 40}, {0, 65}, {0, 33, 34, 130, 133}, {0, 100, 300}};
  for (const auto& sizes : all) {
    const Layers layers(sizes, GetParam(), ops::Epilogue::gelu, reference::gelu, random_);
    for (const auto& cu_seqlens : batches) {
      SCOPED_TRACE(::testing::Message() << "hidden " << sizes.hidden << ", heads " << sizes.heads
                                        << ", cu_seqlens " << ::testing::PrintToString(cu_seqlens));
      auto x = Operand::random(GetParam(), cu_seqlens.back(), sizes.hidden, random_);
      std::vector<double> expected_attention;
      const auto expected =
          reference::forward(layers.plain, x.doubles(), cu_seqlens, &expected_attention);
      std::vector<float> attention(expected_attention.size());
      auto buffers = nn::make_buffers(context_, layers.packed, GetParam(), cu_seqlens.back());
      nn::forward(context_, layers.packed, buffers, {cu_seqlens, x.view(), attention});
      expect_near(x, expected, tolerance());
      for (std::size_t i = 0; i < attention.size(); ++i) {
        ASSERT_NEAR(attention[i], expected_attention[i], tolerance()) << "probability " << i;
      }
      context_.begin();
      if (HasFailure()) return;
    }
  }
}

TEST_P(EncoderLayer, EveryActivation) {
  struct Case {
    ops::Epilogue activation;
    double (*plain)(double);
  };
  for (const auto& [activation, plain] :
       {Case{ops::Epilogue::gelu, reference::gelu},
        Case{ops::Epilogue::gelu_tanh, reference::gelu_tanh},
        Case{ops::Epilogue::relu, reference::relu}, Case{ops::Epilogue::silu, reference::silu}}) {
    SCOPED_TRACE(static_cast<int>(activation));
    const Layers layers({48, 4, 100}, GetParam(), activation, plain, random_);
    const std::vector<std::int32_t> cu_seqlens = {0, 5, 70};
    auto x = Operand::random(GetParam(), 70, 48, random_);
    const auto expected = reference::forward(layers.plain, x.doubles(), cu_seqlens);
    auto buffers = nn::make_buffers(context_, layers.packed, GetParam(), 70);
    nn::forward(context_, layers.packed, buffers, {cu_seqlens, x.view()});
    expect_near(x, expected, tolerance());
    context_.begin();
  }
}

TEST_P(EncoderLayer, ThreadsDoNotChangeTheBits) {
  const Layers layers({64, 4, 256}, GetParam(), ops::Epilogue::gelu, reference::gelu, random_);
  const std::vector<std::int32_t> cu_seqlens = {0, 3, 4, 90, 200};
  const auto input = Operand::random(GetParam(), 200, 64, random_);
  const auto before = num_threads();
  std::vector<Operand> results;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Operand copy(GetParam(), 200, 64);
    for (std::int64_t r = 0; r < 200; ++r) {
      for (std::int64_t c = 0; c < 64; ++c) copy.set(r, c, input.get(r, c));
    }
    auto buffers = nn::make_buffers(context_, layers.packed, GetParam(), 200);
    nn::forward(context_, layers.packed, buffers, {cu_seqlens, copy.view()});
    results.push_back(copy);
    context_.begin();
  }
  set_num_threads(before);
  for (const auto& result : results) {
    for (std::int64_t r = 0; r < 200; ++r) ASSERT_TRUE(result.same_bits(r, results[0], r)) << r;
  }
}

TEST(Embeddings, SumsTheThreeTablesAndNormalises) {
  ops::Context context;
  Random random(1);
  const auto word = Operand::random(DType::f32, 13, 40, random);
  const auto position = Operand::random(DType::f16, 9, 40, random);
  const auto token_type = Operand::random(DType::bf16, 2, 40, random);
  nn::Embeddings embeddings{
      .word = word.tensor(),
      .position = position.tensor(),
      .token_type = token_type.tensor(),
      .norm = make_norm(std::vector<float>(40, 1.5F), std::vector<float>(40, -0.25F), 1e-5F)};
  Batch batch;
  batch.append(std::vector<std::int32_t>{1, 12, 0, 7}, std::vector<std::int32_t>{0, 0, 1, 1});
  batch.append(std::vector<std::int32_t>{7});
  batch.append(std::vector<std::int32_t>{3, 3, 3, 3, 3, 3, 3, 3, 3});
  const std::size_t tokens = batch.input_ids.size();
  reference::Matrix sum(tokens, 40);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::int64_t c = 0; c < 40; ++c) {
      sum(t, static_cast<std::size_t>(c)) = word.get(batch.input_ids[t], c) +
                                            position.get(batch.position_ids[t], c) +
                                            token_type.get(batch.token_type_ids[t], c);
    }
  }
  Operand y(DType::f32, static_cast<std::int64_t>(tokens), 40);
  nn::forward(context, embeddings, batch, y.view());
  expect_near(y,
              reference::layer_norm(sum, std::vector<double>(40, 1.5),
                                    std::vector<double>(40, -0.25), 1e-5F),
              1e-5);
}

}  // namespace
}  // namespace cloze::testing
