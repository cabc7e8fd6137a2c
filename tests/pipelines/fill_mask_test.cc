#include "cloze/fill_mask.h"

#include <string>
#include <vector>

#include "pipelines/pipeline_tools.h"

namespace cloze {
namespace {

using testing::error_of;
using testing::golden_directory;
using ::testing::HasSubstr;

FillMaskPipeline fill_mask_pipeline(const char* name = "masked_lm_untied",
                                    std::int64_t batch_tokens = 8192) {
  return FillMaskPipeline::from_pretrained(golden_directory(name), {.batch_tokens = batch_tokens});
}

bool same_words(const std::vector<std::vector<FilledMask>>& a,
                const std::vector<std::vector<FilledMask>>& b) {
  const auto same = [](const MaskCandidate& x, const MaskCandidate& y) {
    return x.id == y.id && x.score == y.score && x.sequence == y.sequence && x.token == y.token;
  };
  const auto same_mask = [&](const FilledMask& x, const FilledMask& y) {
    return x.position == y.position && std::equal(x.candidates.begin(), x.candidates.end(),
                                                  y.candidates.begin(), y.candidates.end(), same);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same_mask);
  });
}

TEST(FillMask, EqualsTransformers) {
  const auto fill = fill_mask_pipeline();
  for (const auto& golden : testing::answers_of_transformers("goldens.json")["fill_mask"]) {
    const std::vector<std::string> texts{golden["text"]};
    const auto& expected = golden["masks"];
    const auto top_k = static_cast<std::int64_t>(expected[0].size());
    const auto masks = fill(texts, {.top_k = top_k}).at(0);
    ASSERT_EQ(masks.size(), expected.size());
    for (std::size_t m = 0; m < masks.size(); ++m) {
      for (std::size_t c = 0; c < expected[m].size(); ++c) {
        const auto& candidate = masks[m].candidates.at(c);
        EXPECT_EQ(candidate.token, expected[m][c]["token"]);
        EXPECT_EQ(candidate.id, expected[m][c]["id"]);
        EXPECT_EQ(candidate.sequence, expected[m][c]["sequence"]);
        EXPECT_NEAR(candidate.score, expected[m][c]["score"].get<double>(), 2e-5);
      }
    }
  }
}

TEST(FillMask, ScoresAreProbabilitiesOverTheWholeVocabulary) {
  const std::vector<std::string> texts{"the [MASK]", "dog", "[MASK] . [MASK]"};
  const auto filled = fill_mask_pipeline("pretraining", 5)(texts, {.top_k = 61});
  ASSERT_EQ(filled.size(), 3U);
  ASSERT_EQ(filled[0].size(), 1U);
  EXPECT_TRUE(filled[1].empty());
  ASSERT_EQ(filled[2].size(), 2U);
  EXPECT_EQ(filled[0][0].position, 2);
  EXPECT_EQ(filled[2][1].position, 3);
  for (const auto& masks : filled) {
    for (const auto& mask : masks) {
      double sum = 0, last = 2;
      for (const auto& candidate : mask.candidates) {
        sum += candidate.score;
        EXPECT_LE(candidate.score, last);
        last = candidate.score;
      }
      EXPECT_EQ(mask.candidates.size(), 61U);
      EXPECT_NEAR(sum, 1.0, 1e-12);
    }
  }
}

TEST(FillMask, RowsWithoutAWordCountInTheSoftmaxAndAreNoCandidates) {
  const auto directory = golden_directory("masked_lm_untied");
  const auto all = Tokenizer::from_pretrained(directory);
  std::vector<std::string> vocabulary;
  constexpr int kWords = 50;
  for (int id = 0; id < kWords; ++id) vocabulary.emplace_back(all.id_to_token(id));
  const FillMaskPipeline fewer(BertForMaskedLM::from_pretrained(directory),
                               Tokenizer::from_vocabulary(vocabulary), 8192);
  const std::vector<std::string> texts{"the [MASK]"};
  const auto whole = fill_mask_pipeline()(texts, {.top_k = all.vocab_size()})[0][0];
  const auto some = fewer(texts, {.top_k = kWords})[0][0];
  ASSERT_GT(all.vocab_size(), kWords);
  std::size_t at = 0;
  for (const auto& candidate : whole.candidates) {
    if (candidate.id >= kWords) continue;
    EXPECT_EQ(some.candidates.at(at).id, candidate.id);
    EXPECT_EQ(some.candidates.at(at++).score, candidate.score);
  }
  EXPECT_EQ(at, some.candidates.size());
  EXPECT_THAT(error_of([&] { static_cast<void>(fewer(texts, {.top_k = kWords + 1})); }),
              HasSubstr("1 to 50"));
}

TEST(FillMask, RefusesATopKThatIsNone) {
  const auto fill = fill_mask_pipeline("pretraining");
  const std::vector<std::string> texts{"[MASK]"};
  for (const std::int64_t k : {0, 62}) {
    EXPECT_THROW(static_cast<void>(fill(texts, {.top_k = k})), ArgumentError);
  }
}

TEST(FillMask, TargetsAreTheOnlyCandidatesByTheirSharesOfAll) {
  const auto fill = fill_mask_pipeline();
  const std::vector<std::string> texts{"the dog [MASK] ."};
  // "dogs" is dog ##s, of which the first piece counts; "a" is given twice.
  const std::vector<std::string> targets{"a", "dogs", "x", "a"};
  const auto masks = fill(texts, {.top_k = 9, .targets = targets}).at(0);
  ASSERT_EQ(masks.size(), 1U);
  const auto batch = fill.tokenizer()(texts[0]);
  const std::vector<std::int32_t> position{static_cast<std::int32_t>(masks[0].position)};
  const auto values = fill.model()(batch, position);
  const auto logits = values.values<float>();
  const auto all = testing::plain_softmax({logits.begin(), logits.end()});
  std::vector<std::pair<double, std::string>> expected;
  for (const auto* token : {"a", "dog", "x"}) {
    const auto id = fill.tokenizer().token_to_id(token).value();
    expected.emplace_back(all[static_cast<std::size_t>(id)], token);
  }
  std::sort(expected.rbegin(), expected.rend());
  const auto& candidates = masks[0].candidates;
  ASSERT_EQ(candidates.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(candidates[i].token, expected[i].second);
    EXPECT_NEAR(candidates[i].score, expected[i].first, 1e-12);
  }
  EXPECT_EQ(fill(texts, {.top_k = 1, .targets = targets}).at(0)[0].candidates.size(), 1U);
}

TEST(FillMask, TargetsOutsideTheVocabularyAreTold) {
  const auto fill = fill_mask_pipeline();
  const std::vector<std::string> targets{"dog", "dogs", " "};
  const auto resolved = fill.resolve(targets);
  ASSERT_EQ(resolved.size(), 3U);
  EXPECT_TRUE(resolved[0].in_vocabulary);
  EXPECT_EQ(resolved[0].token, "dog");
  EXPECT_FALSE(resolved[1].in_vocabulary);
  EXPECT_EQ(resolved[1].target, "dogs");
  EXPECT_EQ(resolved[1].token, "dog");
  EXPECT_EQ(resolved[1].id, resolved[0].id);
  EXPECT_FALSE(resolved[2].in_vocabulary);
  EXPECT_EQ(resolved[2].id, -1);
  const std::vector<std::string> texts{"[MASK]"};
  EXPECT_THAT(error_of([&] { static_cast<void>(fill(texts, {.targets = {" "}})); }),
              HasSubstr("none of the targets"));
}

TEST(FillMask, MasksHaveOffsetsInCodePointsAndBytes) {
  const auto fill = fill_mask_pipeline();
  const std::vector<TextPair> pairs{{"é [MASK]", "東 é [MASK]"}};
  const auto masks = fill(pairs).at(0);
  ASSERT_EQ(masks.size(), 2U);
  EXPECT_FALSE(masks[0].in_pair);
  EXPECT_EQ(masks[0].offsets, (Span{2, 8}));
  EXPECT_EQ(masks[0].byte_offsets, (Span{3, 9}));
  EXPECT_TRUE(masks[1].in_pair);
  EXPECT_EQ(masks[1].offsets, (Span{4, 10}));
  EXPECT_EQ(masks[1].byte_offsets, (Span{7, 13}));
}

TEST(FillMask, ProgressCancellationAndThreads) {
  const auto fill = fill_mask_pipeline("masked_lm_untied", 8);
  const std::vector<std::string> texts{"the [MASK]", "a b c [MASK] d", "[MASK] [MASK]", "dog"};
  testing::expect_good_manners(
      [&](const ProgressCallback& progress) { return fill(texts, {}, progress); }, same_words);
}

TEST(FillMask, BadInput) {
  const auto fill = fill_mask_pipeline();
  EXPECT_TRUE(fill(Texts()).empty());
  std::string text;
  for (int i = 0; i < 600; ++i) text += "a ";
  const std::vector<std::string> texts{text + "[MASK]"};
  EXPECT_THROW(static_cast<void>(fill(texts)), TextTooLong);
  EXPECT_TRUE(fill(texts, {.limits = {.truncate = true}}).at(0).empty());
  EXPECT_THROW(static_cast<void>(fill_mask_pipeline("sequence_3_labels")), ModelError);
}

}  // namespace
}  // namespace cloze
