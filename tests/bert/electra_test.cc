// ELECTRA: projected embeddings, its heads and its names, against what transformers computes
// (make_electra_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bert/head_model.h"
#include "bert/training/pretraining.h"
#include "checkpoint/model_names.h"
#include "cloze/bert.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using ::testing::HasSubstr;
using testing::Golden;
using testing::golden_directory;
using testing::max_abs_difference;

constexpr double tolerance = 2e-5;

std::filesystem::path directory(std::string_view name) {
  return golden_directory("electra") / name;
}
Golden golden(std::string_view name) { return Golden(directory(name) / "golden.safetensors"); }

TEST(Electra, EncodesWithProjectedEmbeddings) {
  for (const auto* name : {"model", "generator", "generator_bin", "discriminator", "sequence",
                           "sequence_as_wide", "token", "question", "choice"}) {
    SCOPED_TRACE(name);
    const auto expected = golden(name);
    const auto model = BertModel::from_pretrained(directory(name));
    EXPECT_EQ(model.config().model_type, "electra");
    EXPECT_EQ(model.config().embedding_width(),
              std::string_view(name) == "sequence_as_wide" ? 32 : 16);
    EXPECT_FALSE(model.has_pooler());
    const auto output = model(expected.batch(), {.output_hidden_states = true});
    EXPECT_LE(max_abs_difference(output.last_hidden_state, expected.tensor("last_hidden_state")),
              tolerance);
    EXPECT_LE(max_abs_difference(output.hidden_states.front(), expected.hidden_state(0)),
              tolerance);
    EXPECT_TRUE(output.pooler_output.empty());
  }
}

TEST(Electra, TheGeneratorFillsMasks) {
  for (const auto* name : {"generator", "generator_untied", "generator_bin"}) {
    SCOPED_TRACE(name);
    const auto expected = golden(name);
    const auto model = BertForMaskedLM::from_pretrained(directory(name));
    EXPECT_LE(max_abs_difference(model(expected.batch(), expected.ints("positions")),
                                 expected.tensor("prediction_logits")),
              tolerance);
  }
}

TEST(Electra, TheDiscriminatorTellsReplacedTokens) {
  const auto expected = golden("discriminator");
  const auto model = ElectraForPreTraining::from_pretrained(directory("discriminator"));
  EXPECT_LE(max_abs_difference(model(expected.batch()), expected.tensor("logits")), tolerance);
}

TEST(Electra, ItsTaskHeadsComputeWhatTransformersComputes) {
  for (const auto* name : {"sequence", "sequence_as_wide"}) {
    SCOPED_TRACE(name);
    const auto sequence = golden(name);
    const auto model = BertForSequenceClassification::from_pretrained(directory(name));
    EXPECT_LE(max_abs_difference(model(sequence.batch()), sequence.tensor("logits")), tolerance);
  }
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
  const auto choice = golden("choice");
  EXPECT_LE(max_abs_difference(
                BertForMultipleChoice::from_pretrained(directory("choice"))(choice.batch(), 1),
                choice.tensor("logits")),
            tolerance);
}

/// The tensors of a directory, by name.
std::vector<std::string> names_in(const std::filesystem::path& path) {
  return Checkpoint::open(path).names();
}

TEST(Electra, IsSavedAsItWasLoaded) {
  const auto expect = [](std::string_view name, const auto& model, const char* architecture) {
    SCOPED_TRACE(name);
    const testing::TempDirectory saved;
    model.save_pretrained(saved.path());
    EXPECT_EQ(names_in(saved.path()), names_in(directory(name)));
    const auto config = BertConfig::from_pretrained(saved.path());
    EXPECT_EQ(config.model_type, "electra");
    EXPECT_EQ(config.embedding_size, 16);
    EXPECT_THAT(config.architectures, ::testing::ElementsAre(architecture));
  };
  expect("model", BertModel::from_pretrained(directory("model")), "ElectraModel");
  expect("generator", BertForMaskedLM::from_pretrained(directory("generator")),
         "ElectraForMaskedLM");
  expect("generator_untied", BertForMaskedLM::from_pretrained(directory("generator_untied")),
         "ElectraForMaskedLM");
  expect("discriminator", ElectraForPreTraining::from_pretrained(directory("discriminator")),
         "ElectraForPreTraining");
  expect("sequence", BertForSequenceClassification::from_pretrained(directory("sequence")),
         "ElectraForSequenceClassification");
  expect("token", BertForTokenClassification::from_pretrained(directory("token")),
         "ElectraForTokenClassification");
  expect("question", BertForQuestionAnswering::from_pretrained(directory("question")),
         "ElectraForQuestionAnswering");
  expect("choice", BertForMultipleChoice::from_pretrained(directory("choice")),
         "ElectraForMultipleChoice");
}

TEST(Electra, ARandomOneIsSavedAndLoadedAgain) {
  auto config = BertConfig::from_pretrained(directory("model"));
  config.tie_word_embeddings = true;
  const auto batch = golden("model").batch();
  const std::vector<std::int32_t> positions{0, 3};
  const testing::TempDirectory saved;
  const auto generator = BertForMaskedLM::random(config, 7);
  generator.save_pretrained(saved.path());
  EXPECT_EQ(names_in(saved.path()), names_in(directory("generator")));
  EXPECT_EQ(max_abs_difference(
                BertForMaskedLM::from_pretrained(saved.path())(batch, positions),
                generator(batch, positions)),
            0);
  const testing::TempDirectory other;
  const auto discriminator = ElectraForPreTraining::random(config, 7);
  discriminator.save_pretrained(other.path());
  EXPECT_EQ(names_in(other.path()), names_in(directory("discriminator")));
}

TEST(Electra, ParametersAreCountedOnce) {
  const auto count = [](std::string_view name) {
    std::int64_t elements = 0;
    const auto checkpoint = Checkpoint::open(directory(name));
    for (const auto& tensor : checkpoint.names()) {
      std::int64_t size = 1;
      for (const auto dim : checkpoint.info(tensor).shape) size *= dim;
      elements += size;
    }
    return elements;
  };
  EXPECT_EQ(BertModel::from_pretrained(directory("model")).num_parameters(), count("model"));
  EXPECT_EQ(BertForMaskedLM::from_pretrained(directory("generator")).num_parameters(),
            count("generator"));
  EXPECT_EQ(BertForMaskedLM::from_pretrained(directory("generator_untied")).num_parameters(),
            count("generator_untied"));
  EXPECT_EQ(ElectraForPreTraining::from_pretrained(directory("discriminator")).num_parameters(),
            count("discriminator"));
  EXPECT_EQ(BertForSequenceClassification::from_pretrained(directory("sequence")).num_parameters(),
            count("sequence"));
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const ModelError& error) {
    return error.what();
  }
  return "not refused";
}

TEST(Electra, WhatIsNotThereIsNamedAsElectraNamesIt) {
  EXPECT_THAT(refusal([] {
                static_cast<void>(BertForMaskedLM::from_pretrained(directory("discriminator")));
              }),
              ::testing::AllOf(HasSubstr("generator_predictions.dense.weight"),
                               HasSubstr("ElectraForMaskedLM")));
  EXPECT_THAT(refusal([] {
                static_cast<void>(
                    ElectraForPreTraining::from_pretrained(golden_directory("pretraining")));
              }),
              ::testing::AllOf(HasSubstr("replaced token detection"),
                               HasSubstr("ElectraForPreTraining")));
  EXPECT_THAT(refusal([] {
                static_cast<void>(BertForNextSentencePrediction::from_pretrained(
                    directory("discriminator")));
              }),
              HasSubstr("BertForNextSentencePrediction"));
}

TEST(Electra, PreTrainingIsRefused) {
  const auto config = BertConfig::from_pretrained(directory("model"));
  EXPECT_THAT(refusal([&] {
                internal::RandomWeights weights(config, 1);
                static_cast<void>(internal::PretrainingModel(config, weights, {}));
              }),
              HasSubstr("cloze finetune"));
}

TEST(Electra, ConfigurationsThatMakeNoModelAreRefused) {
  const auto read = [](const std::string& fields) {
    return refusal([&] {
      static_cast<void>(
          BertConfig::from_json(R"({"model_type": "electra", )" + fields + "}", "config.json"));
    });
  };
  EXPECT_THAT(read(R"("embedding_size": 0)"), HasSubstr("\"embedding_size\" is 0"));
  EXPECT_THAT(read(R"("embedding_size": -3)"), HasSubstr("\"embedding_size\" is -3"));
  EXPECT_THAT(read(R"("embedding_size": 1099511627776)"), HasSubstr("\"embedding_size\""));
  EXPECT_THAT(read(R"("vocab_size": 2000000000, "embedding_size": 1048576)"),
              HasSubstr("no machine holds"));
  const std::string choice = R"("architectures": ["ElectraForMultipleChoice"], )";
  EXPECT_THAT(read(choice + R"("summary_type": "last")"), HasSubstr("\"summary_type\""));
  EXPECT_THAT(read(choice + R"("summary_activation": null)"), HasSubstr("\"summary_activation\""));
  EXPECT_THAT(read(choice + R"("summary_use_proj": false)"), HasSubstr("\"summary_use_proj\""));
  EXPECT_THAT(read(choice + R"("summary_type": "first", "summary_activation": "gelu")"),
              HasSubstr("not refused"));
  EXPECT_THAT(refusal([] {
                static_cast<void>(BertConfig::from_json(
                    R"({"model_type": "bert", "embedding_size": 64})", "config.json"));
              }),
              HasSubstr("ELECTRA"));
  BertConfig config;
  config.embedding_size = 64;
  EXPECT_THAT(refusal([&] { config.validate(); }), HasSubstr("\"electra\""));
}

TEST(Electra, ItsDefaultsAreTransformers) {
  const auto config = BertConfig::from_json(R"({"model_type": "electra"})", "config.json");
  EXPECT_EQ(config.embedding_size, 128);
  EXPECT_EQ(config.hidden_size, 256);
  EXPECT_EQ(config.num_attention_heads, 4);
  EXPECT_EQ(config.intermediate_size, 1024);
  EXPECT_EQ(BertConfig::from_json(config.to_json(), "x").embedding_size, 128);
}

TEST(Electra, NamesGoThereAndBack) {
  for (const bool of_sequences : {false, true}) {
    EXPECT_EQ(electra_name("cls.predictions.decoder.bias", of_sequences), "generator_lm_head.bias");
    EXPECT_EQ(electra_name("bert.embeddings_project.weight", of_sequences),
              "electra.embeddings_project.weight");
    EXPECT_EQ(electra_name("bert.encoder.layer.0.output.dense.bias", of_sequences),
              "electra.encoder.layer.0.output.dense.bias");
  }
  EXPECT_EQ(electra_name("sequence_summary.summary.bias", true), "classifier.dense.bias");
  EXPECT_EQ(electra_name("sequence_summary.summary.bias", false), "sequence_summary.summary.bias");
  EXPECT_EQ(electra_name("classifier.bias", true), "classifier.out_proj.bias");
  EXPECT_EQ(electra_name("classifier.bias", false), "classifier.bias");
}

}  // namespace
}  // namespace cloze
