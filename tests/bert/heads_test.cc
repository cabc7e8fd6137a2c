// Every head against transformers, and the refusal of heads that a checkpoint does not have.
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "cloze/tensor.h"
#include "goldens/golden.h"
#include "ops/machine.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Logits are a product with the hidden states, whose own bar is 2e-5.
constexpr double tolerance = 5e-5;
constexpr double bf16_cosine = 0.999;

template <class Model>
Model load_head(const char* name, Precision precision = Precision::f32) {
  return Model::from_pretrained(golden_directory(name), {.precision = precision});
}

class MaskedLmGolden : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Goldens, MaskedLmGolden,
                         ::testing::Values("pretraining", "masked_lm_untied",
                                           "masked_lm_untied_one_bias",
                                           "masked_lm_tied_stored_bf16",
                                           "masked_lm_tied_but_different"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(MaskedLmGolden, MatchesTransformers) {
  const auto golden = Golden::named(GetParam());
  const auto expected = golden.tensor("prediction_logits");
  const auto positions = golden.ints("positions");
  EXPECT_LE(max_abs_difference(load_head<BertForMaskedLM>(GetParam())(golden.batch(), positions),
                               expected),
            tolerance);
  if (!computes(Precision::bf16)) return;
  EXPECT_GE(mean_cosine(
                load_head<BertForMaskedLM>(GetParam(), Precision::bf16)(golden.batch(), positions),
                expected),
            bf16_cosine);
}

TEST_P(MaskedLmGolden, PositionsMayComeInAnyOrderAndTwice) {
  const auto golden = Golden::named(GetParam());
  const auto model = load_head<BertForMaskedLM>(GetParam());
  std::vector<std::int32_t> every(golden.batch().input_ids.size());
  std::iota(every.begin(), every.end(), 0);
  const auto all = model(golden.batch(), every);
  ASSERT_EQ(all.shape(), (Shape{golden.batch().total_tokens(), model.config().vocab_size}));
  const auto last = static_cast<std::int32_t>(every.size()) - 1;
  const std::vector<std::int32_t> chosen = {last, 0, last};
  const auto some = model(golden.batch(), chosen);
  ASSERT_EQ(some.dim(0), 3);
  EXPECT_LE(max_abs_difference(some.rows(0, 1), all.rows(last, last + 1)), 1e-6);
  EXPECT_LE(max_abs_difference(some.rows(1, 2), all.rows(0, 1)), 1e-6);
  EXPECT_LE(max_abs_difference(some.rows(2, 3), all.rows(last, last + 1)), 1e-6);
}

TEST_P(MaskedLmGolden, RefusesPositionsOutsideTheBatch) {
  const auto golden = Golden::named(GetParam());
  const auto model = load_head<BertForMaskedLM>(GetParam());
  const auto end = static_cast<std::int32_t>(golden.batch().total_tokens());
  for (const std::int32_t position : {-1, end, end + 1000}) {
    const std::vector<std::int32_t> positions = {0, position};
    EXPECT_THAT([&] { (void)model(golden.batch(), positions); },
                ThrowsMessage<ArgumentError>(HasSubstr(std::to_string(position))));
  }
}

TEST(MaskedLm, NoPositionsGiveNoRows) {
  const auto golden = Golden::named("pretraining");
  const auto logits = load_head<BertForMaskedLM>("pretraining")(golden.batch(), {});
  EXPECT_EQ(logits.shape(), (Shape{0, 61}));
}

TEST(PreTraining, MatchesTransformers) {
  const auto golden = Golden::named("pretraining");
  const auto positions = golden.ints("positions");
  const auto out = load_head<BertForPreTraining>("pretraining")(golden.batch(), positions);
  EXPECT_LE(max_abs_difference(out.prediction_logits, golden.tensor("prediction_logits")),
            tolerance);
  EXPECT_LE(
      max_abs_difference(out.seq_relationship_logits, golden.tensor("seq_relationship_logits")),
      tolerance);
  if (!computes(Precision::bf16)) return;
  const auto bf16 =
      load_head<BertForPreTraining>("pretraining", Precision::bf16)(golden.batch(), positions);
  EXPECT_GE(mean_cosine(bf16.prediction_logits, golden.tensor("prediction_logits")), bf16_cosine);
  EXPECT_GE(mean_cosine(bf16.seq_relationship_logits, golden.tensor("seq_relationship_logits")),
            bf16_cosine);
}

TEST(NextSentence, MatchesTransformers) {
  for (const auto* name : {"next_sentence_f16", "pretraining"}) {
    SCOPED_TRACE(name);
    const auto golden = Golden::named(name);
    const auto expected = golden.tensor("seq_relationship_logits");
    EXPECT_LE(max_abs_difference(load_head<BertForNextSentencePrediction>(name)(golden.batch()),
                                 expected),
              tolerance);
    if (!computes(Precision::bf16)) continue;
    EXPECT_GE(
        mean_cosine(load_head<BertForNextSentencePrediction>(name, Precision::bf16)(golden.batch()),
                    expected),
        bf16_cosine);
  }
}

TEST(SequenceClassification, MatchesTransformers) {
  for (const auto* name : {"sequence_3_labels", "sequence_regression"}) {
    SCOPED_TRACE(name);
    const auto golden = Golden::named(name);
    const auto expected = golden.tensor("logits");
    EXPECT_LE(max_abs_difference(load_head<BertForSequenceClassification>(name)(golden.batch()),
                                 expected),
              tolerance);
    if (!computes(Precision::bf16)) continue;
    EXPECT_LE(max_abs_difference(
                  load_head<BertForSequenceClassification>(name, Precision::bf16)(golden.batch()),
                  expected),
              0.1);
  }
}

TEST(TokenClassification, MatchesTransformers) {
  const auto golden = Golden::named("token_5_layers");
  const auto expected = golden.tensor("logits");
  EXPECT_LE(max_abs_difference(
                load_head<BertForTokenClassification>("token_5_layers")(golden.batch()), expected),
            tolerance);
  if (!computes(Precision::bf16)) return;
  EXPECT_GE(mean_cosine(load_head<BertForTokenClassification>("token_5_layers",
                                                              Precision::bf16)(golden.batch()),
                        expected),
            bf16_cosine);
}

TEST(QuestionAnswering, MatchesTransformers) {
  const auto golden = Golden::named("question_legacy_names");
  const auto out = load_head<BertForQuestionAnswering>("question_legacy_names")(golden.batch());
  EXPECT_LE(max_abs_difference(out.start_logits, golden.tensor("start_logits")), tolerance);
  EXPECT_LE(max_abs_difference(out.end_logits, golden.tensor("end_logits")), tolerance);
  if (!computes(Precision::bf16)) return;
  const auto bf16 =
      load_head<BertForQuestionAnswering>("question_legacy_names", Precision::bf16)(golden.batch());
  EXPECT_LE(max_abs_difference(bf16.start_logits, golden.tensor("start_logits")), 0.1);
  EXPECT_LE(max_abs_difference(bf16.end_logits, golden.tensor("end_logits")), 0.1);
}

TEST(MultipleChoice, MatchesTransformers) {
  const auto golden = Golden::named("choice");
  const auto expected = golden.tensor("logits");
  const auto choices = expected.dim(1);
  EXPECT_LE(max_abs_difference(load_head<BertForMultipleChoice>("choice")(golden.batch(), choices),
                               expected),
            tolerance);
  if (!computes(Precision::bf16)) return;
  EXPECT_LE(max_abs_difference(load_head<BertForMultipleChoice>("choice", Precision::bf16)(
                                   golden.batch(), choices),
                               expected),
            0.1);
}

TEST(MultipleChoice, RefusesSequencesThatCannotBeDivided) {
  const auto golden = Golden::named("choice");  // six sequences
  const auto model = load_head<BertForMultipleChoice>("choice");
  for (const std::int64_t choices : {0, -1, 4, 7}) {
    EXPECT_THAT([&] { (void)model(golden.batch(), choices); },
                ThrowsMessage<ArgumentError>(HasSubstr(std::to_string(choices))));
  }
  EXPECT_EQ(model(golden.batch(), 6).shape(), (Shape{1, 6}));
}

// A checkpoint without the head is refused with a sentence that names what is missing.
TEST(MissingHead, IsNamed) {
  const auto bare = golden_directory("bare_odd");
  EXPECT_THAT([&] { (void)BertForMaskedLM::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("cls.predictions")));
  EXPECT_THAT([&] { (void)BertForPreTraining::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("cls.")));
  EXPECT_THAT([&] { (void)BertForNextSentencePrediction::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("cls.seq_relationship")));
  EXPECT_THAT([&] { (void)BertForSequenceClassification::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("classifier")));
  EXPECT_THAT([&] { (void)BertForTokenClassification::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("classifier")));
  EXPECT_THAT([&] { (void)BertForMultipleChoice::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("classifier")));
  EXPECT_THAT([&] { (void)BertForQuestionAnswering::from_pretrained(bare); },
              ThrowsMessage<ModelError>(HasSubstr("qa_outputs")));
}

TEST(MissingHead, OneHeadIsNotAnother) {
  // A masked-LM checkpoint has no next-sentence head; a token classifier no pooler to classify by.
  EXPECT_THAT(
      [] {
        (void)BertForNextSentencePrediction::from_pretrained(golden_directory("masked_lm_untied"));
      },
      ThrowsMessage<ModelError>(HasSubstr("cls.seq_relationship")));
  EXPECT_THAT(
      [] { (void)BertForPreTraining::from_pretrained(golden_directory("masked_lm_untied")); },
      ThrowsMessage<ModelError>(HasSubstr("cls.seq_relationship")));
  EXPECT_THAT(
      [] {
        (void)BertForSequenceClassification::from_pretrained(golden_directory("token_5_layers"));
      },
      ThrowsMessage<ModelError>(HasSubstr("pooler")));
}

}  // namespace
}  // namespace cloze::testing
