// The encoder against transformers, over every golden model; and what must not matter: batch mates,
// the number of threads, other calls at the same time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/batch.h"
#include "cloze/bert.h"
#include "cloze/tensor.h"
#include "core/parallel.h"
#include "goldens/golden.h"
#include "ops/machine.h"

namespace cloze::testing {
namespace {

constexpr ForwardOptions everything{.output_hidden_states = true, .output_attentions = true};

class EncoderGolden : public ::testing::TestWithParam<const char*> {
 protected:
  static BertModel load(Precision precision = Precision::f32) {
    return BertModel::from_pretrained(golden_directory(GetParam()), {.precision = precision});
  }
};

INSTANTIATE_TEST_SUITE_P(Goldens, EncoderGolden, ::testing::ValuesIn(golden_names),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(EncoderGolden, MatchesTransformersInF32) {
  const auto golden = Golden::named(GetParam());
  const auto model = load();
  const auto out = model(golden.batch(), everything);

  const auto layers = static_cast<std::size_t>(model.config().num_hidden_layers);
  EXPECT_LE(max_abs_difference(out.last_hidden_state, golden.hidden_state(layers)), 2e-5);
  ASSERT_EQ(out.hidden_states.size(), layers + 1);
  for (std::size_t i = 0; i <= layers; ++i) {
    EXPECT_LE(max_abs_difference(out.hidden_states[i], golden.hidden_state(i)), 2e-5)
        << "hidden_states[" << i << "]";
  }
  ASSERT_EQ(out.attentions.size(), layers);
  for (std::size_t i = 0; i < layers; ++i) {
    EXPECT_LE(max_abs_difference(out.attentions[i], golden.attention(i)), 1e-5)
        << "attentions[" << i << "]";
  }
  ASSERT_EQ(model.has_pooler(), golden.contains("pooler_output"));
  if (model.has_pooler()) {
    EXPECT_LE(max_abs_difference(out.pooler_output, golden.tensor("pooler_output")), 2e-5);
  } else {
    EXPECT_TRUE(out.pooler_output.empty());
  }
}

TEST_P(EncoderGolden, MatchesTransformersInBf16) {
  if (!computes(Precision::bf16)) GTEST_SKIP() << "this machine does not multiply in bf16";
  const auto golden = Golden::named(GetParam());
  const auto model = load(Precision::bf16);
  EXPECT_EQ(model.precision(), Precision::bf16);
  const auto out = model(golden.batch(), everything);

  const auto layers = static_cast<std::size_t>(model.config().num_hidden_layers);
  EXPECT_EQ(out.last_hidden_state.dtype(), DType::f32);
  EXPECT_GE(mean_cosine(out.last_hidden_state, golden.hidden_state(layers)), 0.9995);
  ASSERT_EQ(out.hidden_states.size(), layers + 1);
  for (std::size_t i = 0; i <= layers; ++i) {
    EXPECT_GE(mean_cosine(out.hidden_states[i], golden.hidden_state(i)), 0.9995)
        << "hidden_states[" << i << "]";
  }
  ASSERT_EQ(out.attentions.size(), layers);
  for (std::size_t i = 0; i < layers; ++i) {
    EXPECT_LE(max_abs_difference(out.attentions[i], golden.attention(i)), 0.1)
        << "attentions[" << i << "]";
  }
  if (model.has_pooler()) {
    EXPECT_GE(mean_cosine(out.pooler_output, golden.tensor("pooler_output")), 0.9995);
  }
}

TEST_P(EncoderGolden, StaysCloseToTransformersInInt8) {
  const auto golden = Golden::named(GetParam());
  const auto model = load(Precision::int8);
  EXPECT_EQ(model.precision(), Precision::int8);
  const auto layers = static_cast<std::size_t>(model.config().num_hidden_layers);
  const auto out = model(golden.batch());
  EXPECT_GE(mean_cosine(out.last_hidden_state, golden.hidden_state(layers)), 0.995);

  // With every linear layer kept, nothing is quantized: what is left is the rest's own precision.
  const auto kept = BertModel::from_pretrained(golden_directory(GetParam()),
                                               {.precision = Precision::int8, .keep = {"layer."}});
  EXPECT_GE(mean_cosine(kept(golden.batch()).last_hidden_state, golden.hidden_state(layers)),
            0.9995);
}

TEST_P(EncoderGolden, GivesOnlyWhatIsAskedFor) {
  const auto golden = Golden::named(GetParam());
  const auto model = load();
  const auto plain = model(golden.batch());
  EXPECT_TRUE(plain.hidden_states.empty());
  EXPECT_TRUE(plain.attentions.empty());
  const auto full = model(golden.batch(), everything);
  // Asking for more must not change what is computed.
  EXPECT_LE(max_abs_difference(plain.last_hidden_state, full.last_hidden_state), 1e-6);
  EXPECT_EQ(max_abs_difference(full.hidden_states.back(), full.last_hidden_state), 0);
}

TEST_P(EncoderGolden, ASequenceDoesNotDependOnItsBatchMates) {
  const auto golden = Golden::named(GetParam());
  const auto& batch = golden.batch();
  for (const auto precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    if (!computes(precision)) continue;
    const auto model = load(precision);
    const auto together = model(batch);
    for (std::int64_t i = 0; i < batch.sequences(); ++i) {
      SCOPED_TRACE(::testing::Message() << name_of(precision) << ", sequence " << i);
      const auto single = model(alone(batch, i));
      const auto begin = batch.cu_seqlens[static_cast<std::size_t>(i)];
      EXPECT_LE(max_abs_difference(single.last_hidden_state,
                                   together.last_hidden_state.rows(begin, begin + batch.length(i))),
                1e-6);
      if (model.has_pooler()) {
        EXPECT_LE(max_abs_difference(single.pooler_output, together.pooler_output.rows(i, i + 1)),
                  1e-6);
      }
    }
  }
}

TEST_P(EncoderGolden, ThreadsDoNotChangeTheResult) {
  const auto golden = Golden::named(GetParam());
  const auto before = num_threads();
  for (const auto precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    if (!computes(precision)) continue;
    SCOPED_TRACE(name_of(precision));
    const auto model = load(precision);
    std::vector<Tensor> results;
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      results.push_back(model(golden.batch()).last_hidden_state);
    }
    set_num_threads(before);
    EXPECT_LE(max_abs_difference(results[1], results[0]), 1e-6);
    EXPECT_LE(max_abs_difference(results[2], results[0]), 1e-6);
  }
}

TEST_P(EncoderGolden, TheSameCallGivesTheSameBits) {
  const auto golden = Golden::named(GetParam());
  for (const auto precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    if (!computes(precision)) continue;
    const auto model = load(precision);
    const auto first = model(golden.batch()).last_hidden_state;
    EXPECT_EQ(max_abs_difference(model(golden.batch()).last_hidden_state, first), 0);
    const auto again = load(precision);
    EXPECT_EQ(max_abs_difference(again(golden.batch()).last_hidden_state, first), 0);
  }
}

TEST_P(EncoderGolden, ManyThreadsMayShareAModel) {
  const auto golden = Golden::named(GetParam());
  const auto& batch = golden.batch();
  const auto model = load();
  // Each thread calls with another mix of sizes than its neighbours, so that shared scratch memory
  // of a wrong size or owner shows.
  constexpr int callers = 4;
  std::vector<BertOutput> expected;
  for (std::int64_t i = 0; i < batch.sequences(); ++i) expected.push_back(model(alone(batch, i)));
  const auto expected_together = model(batch).last_hidden_state;

  std::vector<double> worst(callers, 0);
  {
    std::vector<std::thread> threads;
    threads.reserve(callers);
    for (std::size_t caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&, caller] {
        for (std::size_t round = 0; round < 6; ++round) {
          const auto i = (caller + round) % expected.size();
          const auto out = model(alone(batch, static_cast<std::int64_t>(i)));
          worst[caller] =
              std::max(worst[caller],
                       max_abs_difference(out.last_hidden_state, expected[i].last_hidden_state));
          const auto together = model(batch).last_hidden_state;
          worst[caller] = std::max(worst[caller], max_abs_difference(together, expected_together));
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  for (const auto difference : worst) EXPECT_LE(difference, 1e-6);
}

TEST_P(EncoderGolden, ACallerMayHaveAnOpenMpTeamOfItsOwn) {
  const auto golden = Golden::named(GetParam());
  const auto model = load();
  const auto expected =
      model(golden.batch()).last_hidden_state;  // leaves its working memory behind
  double worst = 0;
#pragma omp parallel for num_threads(4) reduction(max : worst)
  for (int i = 0; i < 8; ++i) {
    worst = std::max(worst, max_abs_difference(model(golden.batch()).last_hidden_state, expected));
  }
  EXPECT_LE(worst, 1e-6);
}

TEST_P(EncoderGolden, PositionsAreThoseOfTheBatch) {
  // Positions are data, not row numbers: a sequence moved to other positions is another input, and
  // the same tokens at the same positions are the same.
  const auto golden = Golden::named(GetParam());
  const auto model = load();
  auto batch = alone(golden.batch(), 1);
  const auto before = model(batch).last_hidden_state;
  std::swap(batch.position_ids.front(), batch.position_ids.back());
  EXPECT_GT(max_abs_difference(model(batch).last_hidden_state, before), 1e-3);
  std::swap(batch.position_ids.front(), batch.position_ids.back());
  EXPECT_EQ(max_abs_difference(model(batch).last_hidden_state, before), 0);
}

TEST(Encoder, BestPrecisionIsOneOfTheTwo) {
  EXPECT_EQ(resolve(Precision::f32), Precision::f32);
  EXPECT_EQ(resolve(Precision::bf16), Precision::bf16);
  EXPECT_EQ(resolve(Precision::int8), Precision::int8);
  EXPECT_NE(resolve(Precision::best), Precision::best);
  const auto model =
      BertModel::from_pretrained(golden_directory("bare_odd"), {.precision = Precision::best});
  EXPECT_EQ(model.precision(), resolve(Precision::best));
}

TEST(Encoder, CountsItsParameters) {
  // The encoder's own: the sum make_goldens.py prints for a bare model.
  EXPECT_EQ(BertModel::from_pretrained(golden_directory("bare_odd")).num_parameters(), 11210);
  EXPECT_EQ(BertModel::from_pretrained(golden_directory("bare_no_pooler")).num_parameters(), 9667);
  EXPECT_EQ(BertModel::from_pretrained(golden_directory("sharded")).num_parameters(), 20992);
}

}  // namespace
}  // namespace cloze::testing
