// DistilBERT, which is BERT by other names: what transformers computes
// (make_distilbert_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using testing::Golden;
using testing::golden_directory;
using testing::max_abs_difference;

constexpr double tolerance = 2e-5;

std::filesystem::path directory(const char* name) { return golden_directory("distilbert") / name; }
Golden golden(const char* name) { return Golden(directory(name) / "golden.safetensors"); }

TEST(DistilBert, EncodesWhateverTheSegments) {
  for (const auto* name : {"masked_lm", "sequence", "token", "question"}) {
    SCOPED_TRACE(name);
    const auto expected = golden(name);
    const auto model = BertModel::from_pretrained(directory(name));
    EXPECT_EQ(model.config().model_type, "distilbert");
    EXPECT_FALSE(model.has_pooler());
    const auto output = model(expected.batch());  // its segments are 0 and 1 by turns
    EXPECT_LE(max_abs_difference(output.last_hidden_state, expected.tensor("last_hidden_state")),
              tolerance);
    EXPECT_TRUE(output.pooler_output.empty());
  }
}

TEST(DistilBert, HeadsComputeWhatTransformersComputes) {
  const auto masked = golden("masked_lm");
  EXPECT_LE(max_abs_difference(BertForMaskedLM::from_pretrained(directory("masked_lm"))(
                                   masked.batch(), masked.ints("positions")),
                               masked.tensor("prediction_logits")),
            tolerance);
  const auto sequence = golden("sequence");
  EXPECT_LE(max_abs_difference(BertForSequenceClassification::from_pretrained(
                                   directory("sequence"))(sequence.batch()),
                               sequence.tensor("logits")),
            tolerance);
  const auto token = golden("token");
  EXPECT_LE(max_abs_difference(
                BertForTokenClassification::from_pretrained(directory("token"))(token.batch()),
                token.tensor("logits")),
            tolerance);
  const auto question = golden("question");
  const auto answer =
      BertForQuestionAnswering::from_pretrained(directory("question"))(question.batch());
  EXPECT_LE(max_abs_difference(answer.start_logits, question.tensor("start_logits")), tolerance);
  EXPECT_LE(max_abs_difference(answer.end_logits, question.tensor("end_logits")), tolerance);
}

TEST(DistilBert, ItsConfigHasBertsFields) {
  const auto config = BertConfig::from_pretrained(directory("sequence"));
  EXPECT_EQ(config.hidden_size, 32);
  EXPECT_EQ(config.num_hidden_layers, 2);
  EXPECT_EQ(config.num_attention_heads, 2);
  EXPECT_EQ(config.intermediate_size, 64);
  EXPECT_EQ(config.num_labels(), 3);
  EXPECT_EQ(BertConfig::from_json(R"({"model_type": "distilbert"})", "x").num_hidden_layers, 6);
  EXPECT_EQ(BertConfig::from_json(config.to_json(), "x").model_type, "bert");
}

TEST(DistilBert, ItsCousinsAreRefusedByName) {
  for (const auto* type : {"roberta", "xlm-roberta", "albert", "mpnet", "deberta-v2"}) {
    try {
      (void)BertConfig::from_json(std::string(R"({"model_type": ")") + type + "\"}", "config.json");
      ADD_FAILURE() << type;
    } catch (const ModelError& error) {
      EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr(type),
                                                 ::testing::HasSubstr("BERT, DistilBERT, ELECTRA"),
                                                 ::testing::HasSubstr("its ")));
    }
  }
}

}  // namespace
}  // namespace cloze
