#include "cloze/feature_extraction.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::golden_directory;

FeatureExtractionPipeline feature_extraction_pipeline(std::int64_t batch_tokens = 8192) {
  return FeatureExtractionPipeline::from_pretrained(golden_directory("bare_odd"),
                                                    {.batch_tokens = batch_tokens});
}

const nlohmann::json& goldens() {
  return testing::answers_of_transformers("goldens.json")["encode"];
}

std::vector<std::string> golden_texts() {
  std::vector<std::string> texts;
  for (const auto& golden : goldens()) texts.push_back(golden["text"]);
  return texts;
}

/// The values are those of nested lists, row by row.
void expect_near(const Tensor& tensor, const nlohmann::json& expected) {
  const auto flat = expected.flatten();
  ASSERT_EQ(static_cast<std::size_t>(tensor.numel()), flat.size());
  std::size_t i = 0;
  const auto check = [&](const auto& self, const nlohmann::json& values) -> void {
    for (const auto& value : values) {
      if (value.is_array()) {
        self(self, value);
      } else {
        ASSERT_NEAR(tensor.values<float>()[i++], value.get<double>(), 2e-5);
      }
    }
  };
  check(check, expected);
}

TEST(FeatureExtraction, EqualsTransformers) {
  const auto texts = golden_texts();
  for (const std::int64_t batch_tokens : {7, 8192}) {
    const auto extract = feature_extraction_pipeline(batch_tokens);
    const auto last = extract(texts);
    const auto two = extract(texts, {.layers = {0, -1}});
    const auto mean = extract(texts, {.pooling = Pooling::mean});
    const auto pooler = extract(texts, {.pooling = Pooling::pooler});
    for (std::size_t i = 0; i < texts.size(); ++i) {
      expect_near(last[i].vectors, goldens()[i]["last_hidden_state"]);
      expect_near(two[i].vectors, goldens()[i]["layers_0_-1"]);
      expect_near(mean[i].vectors, goldens()[i]["mean"]);
      expect_near(pooler[i].vectors, goldens()[i]["pooler"]);
      std::vector<std::string> tokens;
      for (const auto id : last[i].ids) {
        tokens.emplace_back(extract.tokenizer().id_to_token(id));
      }
      EXPECT_EQ(nlohmann::json(tokens), goldens()[i]["tokens"]);
      EXPECT_EQ(last[i].vectors.dim(0), static_cast<std::int64_t>(tokens.size()));
    }
    EXPECT_EQ(extract.columns(), 24);
    EXPECT_EQ(extract.columns({.layers = {0, -1}}), 48);
  }
}

TEST(FeatureExtraction, ProgressCancellationAndThreads) {
  const auto extract = feature_extraction_pipeline(7);
  const auto texts = golden_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return extract(texts, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
          return std::ranges::equal(x.vectors.bytes(), y.vectors.bytes()) && x.ids == y.ids;
        });
      });
}

TEST(FeatureExtraction, BadInput) {
  const auto extract = feature_extraction_pipeline();
  EXPECT_TRUE(extract(Texts()).empty());
  const std::vector<std::string> texts{"a"};
  EXPECT_THROW(static_cast<void>(extract(texts, {.layers = {9}})), ArgumentError);
  EXPECT_THROW(static_cast<void>(extract(texts, {.layers = {}})), ArgumentError);
  EXPECT_THROW(static_cast<void>(extract(texts, {.layers = {0}, .pooling = Pooling::pooler})),
               ArgumentError);
  EXPECT_THROW(static_cast<void>(extract(texts, {.limits = {.max_length = 2}})), TextTooLong);
}

}  // namespace
}  // namespace cloze
