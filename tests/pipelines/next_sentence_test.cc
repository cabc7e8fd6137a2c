#include "cloze/next_sentence.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::golden_directory;

NextSentencePipeline next_sentence_pipeline(std::int64_t batch_tokens = 8192) {
  return NextSentencePipeline::from_pretrained(golden_directory("pretraining"),
                                               {.batch_tokens = batch_tokens});
}

TEST(NextSentence, EqualsTransformers) {
  std::vector<std::pair<std::string, std::string>> owned;
  std::vector<double> expected;
  for (const auto& golden : testing::answers_of_transformers("goldens.json")["next_sentence"]) {
    owned.emplace_back(golden["pair"][0], golden["pair"][1]);
    expected.push_back(golden["is_next"]);
  }
  const std::vector<TextPair> pairs{{owned[0].first, owned[0].second},
                                    {owned[1].first, owned[1].second},
                                    {owned[2].first, owned[2].second}};
  ASSERT_EQ(owned.size(), pairs.size());
  for (const std::int64_t batch_tokens : {1, 8192}) {
    const auto scores = next_sentence_pipeline(batch_tokens)(pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_NEAR(scores[i].is_next, expected[i], 2e-6);
    }
  }
}

TEST(NextSentence, SoftmaxOfTheLogits) {
  const auto predict = next_sentence_pipeline();
  const std::vector<TextPair> pairs{{"the dog .", "a cat ?"}};
  const auto logits = predict.model()(predict.tokenizer()(pairs[0].first, pairs[0].second));
  const auto values = logits.values<float>();
  EXPECT_NEAR(predict(pairs)[0].is_next, testing::plain_softmax({values[0], values[1]})[0], 1e-12);
}

TEST(NextSentence, ProgressCancellationAndThreads) {
  const auto predict = next_sentence_pipeline(8);
  const std::vector<TextPair> pairs{{"a", "b"}, {"the dogs", "a cat"}, {"", "x"}};
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return predict(pairs, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                          [](const auto& x, const auto& y) { return x.is_next == y.is_next; });
      });
}

TEST(NextSentence, BadInput) {
  const auto predict = next_sentence_pipeline();
  EXPECT_TRUE(predict(Texts()).empty());
  const std::vector<std::string> single{"a"};
  EXPECT_THAT(testing::error_of([&] { static_cast<void>(predict(single)); }),
              ::testing::HasSubstr("text 1 is not a pair"));
  EXPECT_THROW(static_cast<void>(
                   NextSentencePipeline::from_pretrained(golden_directory("masked_lm_untied"))),
               ModelError);
}

}  // namespace
}  // namespace cloze
