#include "cloze/zero_shot_classification.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

const std::vector<std::string> candidates{"dog", "x y", "dogs"};

class ZeroShot : public ::testing::Test {
 protected:
  /// sequence_3_labels as a model of inference with its labels in this order.
  ZeroShotClassificationPipeline pipeline(const std::vector<std::string>& labels,
                                          std::int64_t batch_tokens = 8192) {
    return ZeroShotClassificationPipeline::from_pretrained(model(labels),
                                                           {.batch_tokens = batch_tokens});
  }
  std::string model(const std::vector<std::string>& labels) {
    std::filesystem::remove_all(folder_ / "sequence_3_labels");
    return testing::edited_model(folder_, "sequence_3_labels",
                                 [&](auto& config) { testing::set_labels(config, labels); });
  }
  /// The model's logits for a text with a hypothesis.
  static std::vector<double> logits(const ZeroShotClassificationPipeline& classify,
                                    std::string_view text, const std::string& hypothesis) {
    const auto all = classify.model()(classify.tokenizer()(text, hypothesis));
    return {all.values<float>().begin(), all.values<float>().end()};
  }

 private:
  testing::TempDirectory folder_;
};

TEST_F(ZeroShot, SoftmaxOfTheEntailmentLogitsOverTheLabels) {
  const auto classify = pipeline({"contradiction", "neutral", "ENTAILMENT"});
  EXPECT_EQ(classify.entailment_id(), 2U);
  EXPECT_EQ(classify.contradiction_id(), 0U);
  const std::vector<std::string> texts{"the dogs .", "a"};
  const auto results = classify(texts, candidates);
  ASSERT_EQ(results.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    std::map<std::string, double> expected;
    double sum = 0;
    for (const auto& label : candidates) {
      expected[label] = std::exp(logits(classify, texts[i], "This example is " + label + ".")[2]);
      sum += expected[label];
    }
    ASSERT_EQ(results[i].size(), 3U);
    double last = 2;
    for (const auto& result : results[i]) {
      EXPECT_NEAR(result.score, expected[result.label] / sum, 1e-5);
      EXPECT_EQ(candidates[result.index], result.label);
      EXPECT_LE(result.score, last);
      last = result.score;
    }
  }
}

TEST_F(ZeroShot, EachLabelAloneAgainstContradiction) {
  // Where the first label is entailment, the last is taken for contradiction.
  const auto classify = pipeline({"entailment", "neutral", "contradiction"});
  EXPECT_EQ(classify.entailment_id(), 0U);
  EXPECT_EQ(classify.contradiction_id(), 2U);
  const std::vector<std::string> texts{"the dogs ."}, one{"dog"};
  const auto check = [&](const std::vector<LabelScore>& results) {
    for (const auto& result : results) {
      const auto values = logits(classify, texts[0], "It is " + result.label);
      const double yes = std::exp(values[0]), no = std::exp(values[2]);
      EXPECT_NEAR(result.score, yes / (yes + no), 1e-5);
    }
  };
  const auto several =
      classify(texts, candidates, {.hypothesis_template = "It is {}", .multi_label = true});
  ASSERT_EQ(several[0].size(), 3U);
  check(several[0]);
  const auto single = classify(texts, one, {.hypothesis_template = "It is {}"});
  ASSERT_EQ(single[0].size(), 1U);
  check(single[0]);
}

TEST_F(ZeroShot, TheTextIsCutAndNeverTheHypothesis) {
  const auto classify = pipeline({"contradiction", "neutral", "entailment"});
  const std::vector<std::string> longer{"a b c d e f g h"}, shorter{"a b"};
  const std::vector<std::string> label{"dog"};
  const std::string form = "x {}";
  // [CLS] a b [SEP] x dog [SEP]
  const auto cut = classify(
      longer, label, {.hypothesis_template = form, .limits = {.max_length = 7, .truncate = true}});
  EXPECT_EQ(cut[0][0].score, classify(shorter, label, {.hypothesis_template = form})[0][0].score);
  EXPECT_THAT(
      error_of([&] { static_cast<void>(classify(longer, label, {.limits = {.max_length = 7}})); }),
      HasSubstr("text 1 has "));
}

TEST_F(ZeroShot, ProgressCancellationAndThreads) {
  const auto classify = pipeline({"contradiction", "neutral", "entailment"}, 16);
  const auto texts = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return classify(texts, candidates, {}, progress); },
      [](const auto& a, const auto& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
          return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                            [](const auto& m, const auto& n) {
                              return m.label == n.label && m.score == n.score;
                            });
        });
      });
}

TEST_F(ZeroShot, BadInput) {
  const auto classify = pipeline({"contradiction", "neutral", "entailment"});
  EXPECT_TRUE(classify(Texts(), candidates).empty());
  const std::vector<std::string> texts{"a"};
  EXPECT_THAT(error_of([&] { static_cast<void>(classify(texts, {})); }),
              HasSubstr("no candidate labels"));
  EXPECT_THAT(error_of([&] {
                static_cast<void>(classify(texts, candidates, {.hypothesis_template = "is"}));
              }),
              HasSubstr("\"is\" has no {}"));
  EXPECT_THROW(static_cast<void>(classify(std::vector<TextPair>{{"a", "b"}}, candidates)),
               ArgumentError);
  EXPECT_THAT(error_of([&] {
                static_cast<void>(pipeline({"bad", "so-so", "good"}));
              }),
              ::testing::AllOf(HasSubstr("bad, so-so, good"), HasSubstr("natural language"),
                               HasSubstr("TextClassificationPipeline")));
}

}  // namespace
}  // namespace cloze
