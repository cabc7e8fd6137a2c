#include "cloze/token_classification.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::answers_of_transformers;
using testing::error_of;
using ::testing::HasSubstr;

class TokenClassification : public ::testing::Test {
 protected:
  TokenClassificationPipeline pipeline(std::int64_t batch_tokens = 8192) {
    if (model_.empty()) {
      model_ = testing::edited_model(folder_, "token_5_layers", [](auto& config) {
        testing::set_labels(config, answers_of_transformers("task_goldens.json")["tag"]["labels"]);
      });
    }
    return TokenClassificationPipeline::from_pretrained(model_, {.batch_tokens = batch_tokens});
  }

 private:
  testing::TempDirectory folder_;
  std::string model_;
};

bool same_entities(const std::vector<std::vector<TaggedEntity>>& a,
                   const std::vector<std::vector<TaggedEntity>>& b) {
  const auto same = [](const TaggedEntity& x, const TaggedEntity& y) {
    return x.label == y.label && x.score == y.score && x.word == y.word && x.offsets == y.offsets &&
           x.byte_offsets == y.byte_offsets && x.index == y.index;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  });
}

TEST_F(TokenClassification, EqualsTransformersWithEveryAggregation) {
  const auto tag = pipeline();
  for (const auto& golden : answers_of_transformers("task_goldens.json")["tag"]["cases"]) {
    SCOPED_TRACE(golden.dump());
    const std::vector<std::string> texts{golden["text"]};
    const auto aggregation = aggregation_from(golden["aggregation"].get<std::string>());
    const auto entities = tag(texts, {.aggregation = aggregation}).at(0);
    ASSERT_EQ(entities.size(), golden["entities"].size());
    for (std::size_t i = 0; i < entities.size(); ++i) {
      const auto& found = entities[i];
      const auto& expected = golden["entities"][i];
      EXPECT_EQ(found.label,
                expected.contains("entity") ? expected["entity"] : expected["entity_group"]);
      EXPECT_NEAR(found.score, expected["score"].get<double>(), 2e-5);
      EXPECT_EQ(found.word, expected["word"]);
      EXPECT_EQ(found.offsets.begin, expected["start"]);
      EXPECT_EQ(found.offsets.end, expected["end"]);
      EXPECT_EQ(found.index, expected.value("index", -1));
    }
  }
  EXPECT_THROW(static_cast<void>(aggregation_from("mean")), ArgumentError);
}

TEST_F(TokenClassification, ByteOffsetsPointIntoTheText) {
  const auto tag = pipeline();
  const std::vector<std::string> texts{"é 東京 dogs", "\x80\x80 Ω dogs \xE6\x9D 東"};
  const auto tagged = tag(texts, {.aggregation = Aggregation::none, .ignore_labels = {}});
  EXPECT_EQ(tagged[0].front().offsets, (Span{0, 1}));
  EXPECT_EQ(tagged[0].front().byte_offsets, (Span{0, 2}));
  const auto& last = tagged[0].back();  // ##s of dogs
  EXPECT_EQ(last.offsets, (Span{8, 9}));
  EXPECT_EQ(last.byte_offsets, (Span{13, 14}));
  // A word that the vocabulary does not have is given as it stands, whatever bytes are before it.
  const auto& east = tagged[1].back();
  EXPECT_EQ(east.word, "東");
  EXPECT_EQ(texts[1].substr(static_cast<std::size_t>(east.byte_offsets.begin)), "東");
}

TEST_F(TokenClassification, LongTextsAreReadInWindowsThatShareTokens) {
  const auto tag = pipeline();
  std::string text;
  for (int i = 0; i < 60; ++i) text += "dogs a ";
  const std::vector<std::string> texts{text, "a"};
  const TokenClassificationOptions options{
      .aggregation = Aggregation::none, .ignore_labels = {}, .max_length = 12, .stride = 4};
  const auto tagged = tag(texts, options);
  EXPECT_GE(tagged[0].size(), 150U);
  std::int32_t last = -1;
  for (const auto& entity : tagged[0]) {
    EXPECT_GT(entity.offsets.begin, last);
    last = entity.offsets.begin;
    EXPECT_LT(entity.index, 12);
  }
  EXPECT_EQ(tagged[1].size(), 1U);
}

TEST_F(TokenClassification, IgnoredLabelsAreLeftOut) {
  const auto tag = pipeline();
  const std::vector<std::string> texts{"a b c, the dog? é dogs 東京"};
  const auto tokens = [&](const std::vector<std::string>& ignored) {
    return tag(texts, {.aggregation = Aggregation::none, .ignore_labels = ignored}).at(0);
  };
  const auto all = tokens({});
  ASSERT_EQ(all.size(), 12U);
  std::size_t left_out = 0;
  for (const auto& label : tag.config().id2label) {
    const auto left = tokens({label});
    left_out += all.size() - left.size();
    for (const auto& token : left) EXPECT_NE(token.label, label);
  }
  EXPECT_EQ(left_out, all.size());
  EXPECT_TRUE(tokens(tag.config().id2label).empty());
}

TEST_F(TokenClassification, WordsHaveTheLabelOfTheirFirstToken) {
  const auto tag = pipeline();
  const std::vector<std::vector<std::string_view>> sentences{{"the", "dogs", "\u200b"}, {}, {"a"}};
  const auto words = tag.tag_words(sentences);
  ASSERT_EQ(words.size(), 3U);
  ASSERT_EQ(words[0].size(), 3U);
  EXPECT_TRUE(words[1].empty());
  const auto logits = tag.model()(tag.tokenizer()("the dogs"));  // [CLS] the dog ##s [SEP]
  for (std::size_t w = 0; w < 2; ++w) {
    const auto row = logits.values<float>().subspan((w + 1) * 5, 5);
    const auto scores = testing::plain_softmax({row.begin(), row.end()});
    const auto best = std::max_element(scores.begin(), scores.end());
    EXPECT_EQ(words[0][w].label,
              tag.config().id2label.at(static_cast<std::size_t>(best - scores.begin())));
    EXPECT_NEAR(words[0][w].score, *best, 1e-6);
  }
  EXPECT_EQ(words[0][2].label, "O");  // no token
  EXPECT_EQ(words[0][2].score, 1.0);
}

TEST_F(TokenClassification, DocumentContextReadsNeighboursTogether) {
  const auto tag = pipeline();
  const std::vector<std::vector<std::string_view>> apart{{"the", "dog"}, {}, {"a", "b"}},
      together{{"the", "dog"}, {"a", "b"}};
  const auto alone = tag.tag_words(together);
  const auto parted = tag.tag_words(apart, {.document_context = true});
  const auto read = tag.tag_words(together, {.document_context = true});
  EXPECT_EQ(alone[0][0].score, parted[0][0].score);
  EXPECT_NE(alone[0][0].score, read[0][0].score);
}

TEST_F(TokenClassification, ProgressCancellationAndThreads) {
  const auto tag = pipeline(8);
  const auto texts = testing::several_texts();
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) {
        return tag(texts, {.max_length = 6, .stride = 1}, progress);
      },
      same_entities);
}

TEST_F(TokenClassification, BadInput) {
  const auto tag = pipeline();
  EXPECT_TRUE(tag(Texts()).empty());
  EXPECT_TRUE(tag.tag_words({}).empty());
  const std::vector<std::string> texts{"a"};
  EXPECT_THAT(error_of([&] { static_cast<void>(tag(texts, {.max_length = 2})); }),
              HasSubstr("no room for a token"));
  EXPECT_THROW(static_cast<void>(tag(texts, {.max_length = 1 << 20})), ArgumentError);
  EXPECT_THROW(static_cast<void>(tag(texts, {.stride = -1})), ArgumentError);
  EXPECT_THROW(static_cast<void>(tag(std::vector<TextPair>{{"a", "b"}})), ArgumentError);
  EXPECT_THAT(error_of([] {
                static_cast<void>(TokenClassificationPipeline::from_pretrained(
                    testing::golden_directory("sequence_3_labels")));
              }),
              HasSubstr("TextClassificationPipeline"));
}

}  // namespace
}  // namespace cloze
