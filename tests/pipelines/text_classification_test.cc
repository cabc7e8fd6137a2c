#include "cloze/text_classification.h"

#include <cmath>
#include <string>
#include <vector>

#include "ops/machine.h"
#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using testing::golden_directory;
using ::testing::HasSubstr;

TextClassificationPipeline text_classification_pipeline(std::int64_t batch_tokens = 8192) {
  return TextClassificationPipeline::from_pretrained(golden_directory("sequence_3_labels"),
                                                     {.batch_tokens = batch_tokens});
}

bool same_labels(const std::vector<std::vector<LabelScore>>& a,
                 const std::vector<std::vector<LabelScore>>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const auto& m, const auto& n) {
      return m.label == n.label && m.score == n.score && m.index == n.index;
    });
  });
}

TEST(TextClassification, EqualsTransformers) {
  const auto classify = text_classification_pipeline();
  for (const auto& golden : testing::answers_of_transformers("task_goldens.json")["classify"]) {
    const std::vector<std::string> texts{golden["text"]};
    const auto labels = classify(texts, {.top_k = 0}).at(0);
    ASSERT_EQ(labels.size(), golden["labels"].size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(labels[i].label, golden["labels"][i]["label"]);
      EXPECT_EQ(labels[i].label, "LABEL_" + std::to_string(labels[i].index));
      EXPECT_NEAR(labels[i].score, golden["labels"][i]["score"].get<double>(), 2e-5);
    }
    const auto best = classify(texts).at(0);
    ASSERT_EQ(best.size(), 1U);
    EXPECT_EQ(best[0].label, labels[0].label);
  }
}

TEST(TextClassification, ScoreFunctions) {
  const auto classify = text_classification_pipeline();
  const std::vector<std::string> texts{"the dogs ."};
  const auto output = classify.model()(classify.tokenizer()("the dogs ."));
  const auto logits = output.values<float>();
  const auto of = [&](ScoreFunction function) {
    std::vector<double> scores(3);
    const auto labels = classify(texts, {.top_k = 0, .function_to_apply = function}).at(0);
    for (const auto& each : labels) {
      scores[each.index] = each.score;
    }
    return scores;
  };
  const auto softmax = testing::plain_softmax({logits.begin(), logits.end()});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(of(ScoreFunction::automatic)[i], softmax[i], 1e-12);
    EXPECT_NEAR(of(ScoreFunction::softmax)[i], softmax[i], 1e-12);
    EXPECT_NEAR(of(ScoreFunction::sigmoid)[i], 1 / (1 + std::exp(-double{logits[i]})), 1e-12);
    EXPECT_EQ(of(ScoreFunction::none)[i], logits[i]);
  }
}

TEST(TextClassification, TheConfigSaysWhatLogitsMean) {
  const testing::TempDirectory folder, other;
  const std::vector<std::string> texts{"the dogs ."};
  const auto several = TextClassificationPipeline::from_pretrained(testing::edited_model(
      folder, "sequence_3_labels",
      [](auto& config) { config["problem_type"] = "multi_label_classification"; }));
  EXPECT_TRUE(same_labels(several(texts, {.top_k = 2}),
                          text_classification_pipeline()(
                              texts, {.top_k = 2, .function_to_apply = ScoreFunction::sigmoid})));
  const auto value = TextClassificationPipeline::from_pretrained(testing::edited_model(
      other, "sequence_regression", [](auto& config) { config["problem_type"] = "regression"; }));
  const auto logits = value.model()(value.tokenizer()("the dogs ."));
  EXPECT_EQ(value(texts).at(0).at(0).score, logits.values<float>()[0]);
}

TEST(TextClassification, PairsAndSingleTextsTogether) {
  const auto classify = text_classification_pipeline();
  const std::vector<TextItem> items{{"a", "dog", 1}, {"a", std::nullopt, 2}};
  const auto both = classify(items, {.top_k = 0});
  EXPECT_TRUE(same_labels({both[0]}, classify(std::vector<TextPair>{{"a", "dog"}}, {.top_k = 0})));
  EXPECT_TRUE(same_labels({both[1]}, classify(std::vector<std::string_view>{"a"}, {.top_k = 0})));
}

TEST(TextClassification, ProgressCancellationAndThreads) {
  const auto classify = text_classification_pipeline(12);
  const auto texts = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return classify(texts, {.top_k = 0}, progress); },
      same_labels);
}

TEST(TextClassification, BadInput) {
  const auto classify = text_classification_pipeline();
  std::string text;
  for (int i = 0; i < 80; ++i) text += "a ";
  const std::vector<std::string> texts{"a", text};
  EXPECT_THAT(error_of([&] { static_cast<void>(classify(texts)); }),
              HasSubstr("text 2 has 82 tokens and the limit is 70"));
  EXPECT_EQ(classify(texts, {.limits = {.truncate = true}}).size(), 2U);
  EXPECT_THROW(static_cast<void>(classify(texts, {.top_k = -1})), ArgumentError);
  EXPECT_TRUE(classify(Texts()).empty());
  EXPECT_THAT(error_of([] { static_cast<void>(text_classification_pipeline(0)); }),
              HasSubstr("batch_tokens is 0"));
}

TEST(TextClassification, AModelForAnotherTaskIsNamedWithItsClass) {
  EXPECT_THAT(error_of([] {
                static_cast<void>(TextClassificationPipeline::from_pretrained(
                    golden_directory("token_5_layers")));
              }),
              ::testing::AllOf(HasSubstr("is a BertForTokenClassification"),
                               HasSubstr("TokenClassificationPipeline"),
                               HasSubstr("this needs a BertForSequenceClassification")));
  EXPECT_THROW(
      static_cast<void>(TextClassificationPipeline::from_pretrained(golden_directory("bare_odd"))),
      ModelError);
  EXPECT_THROW(static_cast<void>(TextClassificationPipeline::from_pretrained("/no/such/model")),
               IoError);
}

TEST(TextClassification, FromALoadedModel) {
  const auto directory = golden_directory("sequence_3_labels");
  const TextClassificationPipeline classify(
      BertForSequenceClassification::from_pretrained(directory),
      Tokenizer::from_pretrained(directory));
  const auto copy = classify;
  const auto texts = testing::several_texts();
  EXPECT_TRUE(same_labels(copy(texts), text_classification_pipeline()(texts)));
  EXPECT_EQ(copy.max_length(), 70);
}

}  // namespace
}  // namespace cloze
