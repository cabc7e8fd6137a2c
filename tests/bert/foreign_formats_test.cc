// The golden models as TensorFlow and PyTorch store them compute what they do as safetensors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using testing::Golden;
using testing::golden_directory;
using testing::max_abs_difference;
using testing::TempDirectory;

namespace fs = std::filesystem;

constexpr double format_tolerance = 2e-5;

TEST(ForeignFormats, AGoogleReleaseComputesItsOwnGelu) {
  const auto golden = Golden::named("pretraining_tanh");
  const auto directory = golden_directory("tensorflow") / "release";
  const auto model = BertForPreTraining::from_pretrained(directory);
  // bert_config.json says "gelu", which google-research/bert computes by tanh.
  EXPECT_EQ(model.config().hidden_act, Activation::gelu_tanh);
  const auto output = model(golden.batch(), golden.ints("positions"));
  EXPECT_LE(max_abs_difference(output.prediction_logits, golden.tensor("prediction_logits")),
            format_tolerance);
  EXPECT_LE(
      max_abs_difference(output.seq_relationship_logits, golden.tensor("seq_relationship_logits")),
      format_tolerance);
}

TEST(ForeignFormats, AConfigJsonBesideItSaysWhichGelu) {
  const TempDirectory directory;
  for (const auto& entry : fs::directory_iterator(golden_directory("tensorflow") / "release")) {
    fs::copy(entry.path(), directory.path());
  }
  auto config = BertConfig::from_pretrained(directory.path());
  config.hidden_act = Activation::gelu;
  config.save_pretrained(directory.path());
  EXPECT_EQ(BertConfig::from_pretrained(directory.path()).hidden_act, Activation::gelu);
  // PyTorch weights with Google's configuration: pytorch-pretrained-bert's erf.
  fs::remove(directory.path() / "config.json");
  EXPECT_EQ(BertConfig::from_pretrained(directory.path()).hidden_act, Activation::gelu_tanh);
  directory.write("pytorch_model.bin", "");
  EXPECT_EQ(BertConfig::from_pretrained(directory.path()).hidden_act, Activation::gelu);
}

TEST(ForeignFormats, FineTunedTensorFlowModelsHaveTheirHeads) {
  // Their goldens were made with other activations than bert_config.json can say.
  for (const auto& [name, golden_name] :
       {std::pair{"classifier", "sequence_regression"}, {"squad", "question_legacy_names"}}) {
    const TempDirectory directory;
    for (const auto& entry : fs::directory_iterator(golden_directory("tensorflow") / name)) {
      fs::copy(entry.path(), directory.path());
    }
    fs::copy(golden_directory(golden_name) / "config.json", directory.path());
    const auto golden = Golden::named(golden_name);
    if (golden.contains("start_logits")) {
      const auto logits =
          BertForQuestionAnswering::from_pretrained(directory.path())(golden.batch());
      EXPECT_LE(max_abs_difference(logits.start_logits, golden.tensor("start_logits")),
                format_tolerance);
      EXPECT_LE(max_abs_difference(logits.end_logits, golden.tensor("end_logits")),
                format_tolerance);
    } else {
      const auto logits =
          BertForSequenceClassification::from_pretrained(directory.path())(golden.batch());
      EXPECT_LE(max_abs_difference(logits, golden.tensor("logits")), format_tolerance);
    }
  }
}

TEST(ForeignFormats, AReleasesVocabularyTellsItsCase) {
  const std::string lower = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[unused1]\nparis\n##is\n";
  const auto lower_cases = [](const TempDirectory& directory) {
    return Tokenizer::from_pretrained(directory.path()).do_lower_case();
  };
  const TempDirectory directory;
  directory.write("bert_config.json", "{}");
  directory.write("vocab.txt", lower);
  EXPECT_TRUE(lower_cases(directory));
  directory.write("vocab.txt", lower + "Paris\n");
  EXPECT_FALSE(lower_cases(directory));
  directory.write("tokenizer_config.json", R"({"do_lower_case": true})");  // stated: so it is
  EXPECT_TRUE(lower_cases(directory));
  fs::remove(directory.path() / "tokenizer_config.json");
  directory.write("config.json", "{}");  // not Google's: transformers' default
  EXPECT_TRUE(lower_cases(directory));
}

}  // namespace
}  // namespace cloze
