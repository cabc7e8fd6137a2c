#include "cloze/multiple_choice.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using testing::golden_directory;

MultipleChoicePipeline multiple_choice_pipeline(std::int64_t batch_tokens = 8192) {
  return MultipleChoicePipeline::from_pretrained(golden_directory("choice"),
                                                 {.batch_tokens = batch_tokens});
}

TEST(MultipleChoice, SoftmaxOfTheModelsLogits) {
  const auto choose = multiple_choice_pipeline();
  const std::vector<std::string_view> three{"dogs", "a b", "é"}, two{"x", "the dog"};
  const std::vector<Prompt> prompts{{"the dog", three}, {"a", two}};
  const auto choices = choose(prompts);
  ASSERT_EQ(choices.size(), 2U);
  for (std::size_t p = 0; p < 2; ++p) {
    Batch batch;
    for (const auto choice : prompts[p].choices) {
      choose.tokenizer().append_to(batch, prompts[p].text, choice);
    }
    const auto count = prompts[p].choices.size();
    const auto logits = choose.model()(batch, static_cast<std::int64_t>(count));
    const auto values = logits.values<float>();
    const auto expected = testing::plain_softmax({values.begin(), values.end()});
    ASSERT_EQ(choices[p].scores.size(), count);
    for (std::size_t c = 0; c < count; ++c) {
      EXPECT_NEAR(choices[p].scores[c], expected[c], 1e-5);
      EXPECT_LE(choices[p].scores[c], choices[p].scores[choices[p].choice]);
    }
  }
}

TEST(MultipleChoice, ProgressCancellationAndThreads) {
  const auto choose = multiple_choice_pipeline(8);
  const std::vector<std::string_view> choices{"dogs", "a b"};
  const std::vector<Prompt> prompts{{"the dog", choices}, {"a", choices}, {"", choices}};
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return choose(prompts, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
          return x.choice == y.choice && x.scores == y.scores;
        });
      });
}

TEST(MultipleChoice, BadInput) {
  const auto choose = multiple_choice_pipeline();
  EXPECT_TRUE(choose({}).empty());
  const std::vector<std::string_view> choices{"a", "a b c d e f g h i j k l m n o p q r s t u v w"};
  EXPECT_THAT(error_of([&] {
                static_cast<void>(choose(std::vector<Prompt>{{"b", choices}, {"a", {}}}));
              }),
              ::testing::HasSubstr("text 2 has no choices"));
  EXPECT_THAT(error_of([&] {
                static_cast<void>(choose(std::vector<Prompt>{{"b", choices}}));
              }),
              ::testing::HasSubstr("text 1 has 27 tokens and the limit is 24"));
  EXPECT_EQ(choose(std::vector<Prompt>{{"b", choices}}, {.limits = {.truncate = true}}).size(), 1U);
  EXPECT_THAT(error_of([] {
                static_cast<void>(MultipleChoicePipeline::from_pretrained(
                    golden_directory("question_legacy_names")));
              }),
              ::testing::HasSubstr("QuestionAnsweringPipeline"));
}

}  // namespace
}  // namespace cloze
