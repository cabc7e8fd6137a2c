// Tasks over the golden models: what transformers computed for their batch must come out again,
// however the sequences are divided.
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/encode_benchmark.h"
#include "cloze/error.h"
#include "cloze/model_info.h"
#include "cloze/model_sizes.h"
#include "goldens/golden.h"
#include "sentence/embedder.h"

namespace cloze {
namespace {

using testing::Golden;
using testing::golden_directory;

std::vector<TokenizedText> texts_of(const Batch& batch) {
  std::vector<TokenizedText> texts;
  for (std::int64_t i = 0; i < batch.sequences(); ++i) {
    const auto one = testing::alone(batch, i);
    texts.push_back({one.input_ids, one.token_type_ids});
  }
  return texts;
}

Embedder embedder(const char* name, const EmbedOptions& options) {
  return {BertModel::from_pretrained(golden_directory(name)), options};
}

TEST(Embedder, TokensInInputOrderWhateverTheBatches) {
  const auto golden = Golden::named("token_5_layers");
  const auto texts = texts_of(golden.batch());
  for (const std::int64_t batch_tokens : {1, 20, 30, 8192}) {
    EmbedOptions options;
    options.batch_tokens = batch_tokens;
    std::size_t done = 0;
    const auto states =
        embedder("token_5_layers", options)
            .embed_tokens(texts, [&](std::span<const std::size_t> part) { done += part.size(); });
    ASSERT_EQ(states.size(), texts.size());
    EXPECT_EQ(done, texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto expected = golden.hidden_state(5).rows(golden.batch().cu_seqlens[i],
                                                        golden.batch().cu_seqlens[i + 1]);
      EXPECT_LT(testing::max_abs_difference(states[i], expected), 2e-5) << batch_tokens;
    }
  }
}

TEST(Embedder, LayersAreTransformersHiddenStates) {
  const auto golden = Golden::named("token_5_layers");
  const auto texts = texts_of(golden.batch());
  EmbedOptions options;
  options.layers = {-1, 0, 2};
  const auto states = embedder("token_5_layers", options).embed_tokens(texts);
  const auto row = states[1].values<float>().subspan(0, 60);
  const auto start = static_cast<std::size_t>(golden.batch().cu_seqlens[1]) * 20;
  for (std::size_t c = 0; c < 60; ++c) {
    const auto layer = std::vector<std::size_t>{5, 0, 2}[c / 20];
    const auto expected = testing::elements<float>(golden.hidden_state(layer))[start + c % 20];
    EXPECT_NEAR(row[c], expected, 2e-5);
  }
}

TEST(Embedder, PoolersOutput) {
  const auto golden = Golden::named("pretraining");
  EmbedOptions options;
  options.poolings = {Pooling::pooler};
  options.batch_tokens = 25;
  const auto vectors = embedder("pretraining", options).embed(texts_of(golden.batch()));
  EXPECT_LT(testing::max_abs_difference(vectors, golden.tensor("pooler_output")), 2e-5);
}

TEST(Embedder, RefusesWhatTheModelHasNot) {
  EmbedOptions options;
  options.poolings = {Pooling::pooler};
  EXPECT_THROW(embedder("bare_no_pooler", options), ModelError);
  options.layers = {0};
  EXPECT_THROW(embedder("pretraining", options), ArgumentError);
  options.poolings = {Pooling::mean};
  EXPECT_NO_THROW(embedder("pretraining", options));
  for (const std::int64_t layer : {-4, 3}) {
    options.layers = {layer};
    EXPECT_THROW(embedder("pretraining", options), ArgumentError) << layer;
  }
  options.layers = {};
  EXPECT_THROW(embedder("pretraining", options), ArgumentError);
}

TEST(ModelInfo, ParametersAsTransformersCountsThem) {
  // sum(p.numel() for p in model.parameters()) of each class.
  EXPECT_EQ(model_info(golden_directory("pretraining")).parameters, 22239);
  EXPECT_EQ(model_info(golden_directory("masked_lm_untied")).parameters, 34400);
  EXPECT_EQ(model_info(golden_directory("masked_lm_tied_stored_bf16")).parameters, 12573);
  EXPECT_EQ(model_info(golden_directory("choice")).parameters, 23081);
  for (const auto* name : {"bare_odd", "sharded", "bare_no_pooler"}) {
    EXPECT_EQ(model_info(golden_directory(name)).parameters,
              BertModel::from_pretrained(golden_directory(name)).num_parameters())
        << name;
  }
}

TEST(ModelInfo, Heads) {
  const auto head = [](const char* name) {
    const auto heads = model_info(golden_directory(name)).heads;
    return heads.empty() ? std::string() : heads.back().architecture;
  };
  EXPECT_EQ(head("bare_odd"), "");
  EXPECT_EQ(head("masked_lm_untied"), "BertForMaskedLM");
  EXPECT_EQ(head("next_sentence_f16"), "BertForNextSentencePrediction");
  EXPECT_EQ(head("sequence_3_labels"), "BertForSequenceClassification");
  EXPECT_EQ(head("token_5_layers"), "BertForTokenClassification");
  EXPECT_EQ(head("question_legacy_names"), "BertForQuestionAnswering");
  EXPECT_EQ(head("choice"), "BertForMultipleChoice");
  EXPECT_EQ(model_info(golden_directory("sequence_3_labels")).heads.back().name,
            "sequence classification, 3 labels");
}

TEST(ModelSizes, Base) {
  const auto base = named_config("base");
  EXPECT_EQ(base.num_hidden_layers, 12);
  EXPECT_EQ(base.hidden_size, 768);
  EXPECT_EQ(base.num_attention_heads, 12);
  EXPECT_EQ(base.intermediate_size, 3072);
  EXPECT_THROW(static_cast<void>(named_config("Base")), ArgumentError);
}

TEST(EncodeBenchmark, CountsTheProductsOfBertBase) {
  // 12 layers of (4·768² + 2·768·3072) weights, two operations each, and attention's 4·l²·h.
  const std::vector<std::int64_t> lengths(8, 128);
  EXPECT_DOUBLE_EQ(
      encoder_flops(named_config("base"), lengths),
      2.0 * 1024 * 12 * (4.0 * 768 * 768 + 2.0 * 768 * 3072) + 12.0 * 8 * 4 * 128 * 128 * 768);
}

TEST(EncodeBenchmark, Percentiles) {
  EncodeBenchmark result;
  result.ms = {1, 2, 3, 4};
  result.tokens = 10;
  EXPECT_DOUBLE_EQ(result.percentile(0.5), 2.5);
  EXPECT_DOUBLE_EQ(result.percentile(1.0), 4.0);
  EXPECT_DOUBLE_EQ(result.tokens_per_s(), 4000.0);
}

TEST(EncodeBenchmark, Runs) {
  const auto model = BertModel::from_pretrained(golden_directory("pretraining"));
  const std::vector<std::int64_t> lengths{24, 1, 7};
  const auto texts = random_texts(model.config(), lengths, 3);
  const auto result =
      benchmark_encode(model, texts, {.batch_tokens = 24, .passes = {.iterations = 4}});
  EXPECT_EQ(result.ms.size(), 4U);
  EXPECT_EQ(result.tokens, 32);
  EXPECT_EQ(result.batches, 2);
  EXPECT_EQ(result.longest, 24);
  EXPECT_GT(result.gemm_gflops, 0.0);
  EXPECT_GT(result.peak_memory, 1 << 20);
  EXPECT_THROW(static_cast<void>(random_texts(model.config(), std::vector<std::int64_t>{25})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(benchmark_encode(model, {}, {})), ArgumentError);
}

}  // namespace
}  // namespace cloze
