// The table of heads and the list of parameters against what transformers and Google write.
#include "bert/head_table.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/google_names.h"
#include "checkpoint/model_names.h"
#include "cloze/checkpoint.h"
#include "cloze/config.h"
#include "goldens/golden.h"

namespace cloze::internal {
namespace {

using ::testing::ElementsAre;
using testing::golden_directory;

const HeadKind& class_of_golden(const char* name) {
  const auto directory = golden_directory(name);
  return class_of(ModelNames(Checkpoint::open(directory)), BertConfig::from_pretrained(directory));
}

TEST(HeadTable, AClassOfEachCheckpoint) {
  EXPECT_EQ(&class_of_golden("bare_odd"), &heads::encoder);
  EXPECT_EQ(&class_of_golden("pretraining"), &heads::pretraining);
  EXPECT_EQ(&class_of_golden("masked_lm_untied"), &heads::masked_lm);
  EXPECT_EQ(&class_of_golden("next_sentence_f16"), &heads::next_sentence);
  EXPECT_EQ(&class_of_golden("sequence_3_labels"), &heads::sequence_classification);
  EXPECT_EQ(&class_of_golden("token_5_layers"), &heads::token_classification);
  EXPECT_EQ(&class_of_golden("question_legacy_names"), &heads::question_answering);
  EXPECT_EQ(&class_of_golden("choice"), &heads::multiple_choice);
  EXPECT_EQ(&class_of_golden("distilbert/token"), &heads::token_classification);
}

// transformers' own checkpoints have the tensors that the list has, no other, of these shapes.
TEST(HeadTable, ParametersAreThoseOfTransformers) {
  for (const auto* name : {"pretraining", "masked_lm_untied", "next_sentence_f16",
                           "sequence_3_labels", "token_5_layers", "choice"}) {
    SCOPED_TRACE(name);
    const auto directory = golden_directory(name);
    const auto config = BertConfig::from_pretrained(directory);
    const auto checkpoint = Checkpoint::open(directory);
    std::set<std::string> listed;
    for (const auto& parameter : model_parameters(config, class_of_golden(name))) {
      EXPECT_TRUE(listed.insert(parameter.name).second) << parameter.name;
      ASSERT_TRUE(checkpoint.contains(parameter.name)) << parameter.name;
      EXPECT_EQ(checkpoint.info(parameter.name).shape, parameter.shape) << parameter.name;
    }
    for (const auto& stored : checkpoint.names()) {
      const bool again = stored == kDecoderBias;  // the same bias, under its second name
      EXPECT_TRUE(again || listed.contains(stored)) << stored;
    }
  }
}

TEST(HeadTable, EveryClassHasItsParametersAndNoOthers) {
  const BertConfig config;
  for (const auto& head : kHeads) {
    const auto family = head.families.contains(Family::bert) ? Family::bert : Family::electra;
    for (const auto& parameter : model_parameters(config, head)) {
      EXPECT_TRUE(has_tensor(head, parameter.name, family)) << parameter.name;
    }
    EXPECT_FALSE(has_tensor(head, "classifiers.weight", Family::bert));
    EXPECT_FALSE(has_tensor(head, "pre_classifier.weight", Family::bert));
    EXPECT_FALSE(has_tensor(head, "bert.pooler.dense.weight", Family::distilbert));
  }
  EXPECT_TRUE(
      has_tensor(heads::sequence_classification, "pre_classifier.weight", Family::distilbert));
  EXPECT_FALSE(has_tensor(heads::token_classification, "bert.pooler.dense.weight", Family::bert));
}

// What Google's programs call the tensors of heads is a name of the list.
TEST(HeadTable, GooglesNamesAreInTheList) {
  const BertConfig config;
  std::set<std::string> listed;
  for (const auto& head : kHeads) {
    for (const auto& parameter : model_parameters(config, head)) listed.insert(parameter.name);
  }
  for (const auto* variable :
       {"bert/embeddings/word_embeddings", "bert/embeddings/LayerNorm/gamma",
        "bert/encoder/layer_11/attention/self/query/kernel", "bert/pooler/dense/bias",
        "cls/predictions/output_bias", "cls/predictions/transform/dense/kernel",
        "cls/seq_relationship/output_weights", "cls/squad/output_weights", "cls/squad/output_bias",
        "output_weights", "output_bias"}) {
    EXPECT_TRUE(listed.contains(translate_google_name(variable).name)) << variable;
  }
}

TEST(HeadTable, SharedTensorsGoByTheConfiguration) {
  const auto directory = golden_directory("token_5_layers");
  auto config = BertConfig::from_pretrained(directory);
  const ModelNames names(Checkpoint::open(directory));
  const auto found = [&] { return heads_in(names, config); };
  EXPECT_THAT(found(), ElementsAre(&heads::token_classification));
  config.architectures = {"DistilBertForTokenClassification"};
  EXPECT_THAT(found(), ElementsAre(&heads::token_classification));
  config.architectures = {"BertForMultipleChoice"};
  EXPECT_THAT(found(), ElementsAre(&heads::multiple_choice));
  config.architectures = {};
  EXPECT_THAT(found(), ElementsAre(&heads::sequence_classification));
}

TEST(HeadTable, TasksAreNamedOnce) {
  std::set<std::string_view> pipelines;
  for (const auto& head : kHeads) {
    EXPECT_TRUE(pipelines.insert(head.pipeline).second) << head.pipeline;
    EXPECT_FALSE(head.about.empty() || head.class_name.empty());
  }
}

TEST(HeadTable, ClassesThatHaveTheHead) {
  EXPECT_THAT(architectures_with(heads::masked_lm),
              ElementsAre("BertForMaskedLM", "BertForPreTraining"));
  EXPECT_THAT(architectures_with(heads::masked_lm, Family::electra),
              ElementsAre("ElectraForMaskedLM"));
  EXPECT_THAT(architectures_with(heads::sequence_classification),
              ElementsAre("BertForSequenceClassification"));
}

}  // namespace
}  // namespace cloze::internal
