// ELECTRA: projected embeddings, its heads and its names, against what transformers computes
// (make_electra_goldens.py).
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bert/head_model.h"
#include "bert/second_device.h"
#include "bert/training/input_gradients.h"
#include "bert/training/pretraining.h"
#include "checkpoint/model_names.h"
#include "cloze/bert.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

using testing::Golden;
using testing::golden_directory;
using ::testing::HasSubstr;
using testing::max_abs_difference;

constexpr double electra_tolerance = 2e-5;

std::filesystem::path electra_directory(std::string_view name) {
  return golden_directory("electra") / name;
}
Golden electra_golden(std::string_view name) {
  return Golden(electra_directory(name) / "golden.safetensors");
}

TEST(Electra, EncodesWithProjectedEmbeddings) {
  for (const auto* name : {"model", "generator", "generator_bin", "discriminator", "sequence",
                           "sequence_as_wide", "token", "question", "choice"}) {
    SCOPED_TRACE(name);
    const auto expected = electra_golden(name);
    const auto model = BertModel::from_pretrained(electra_directory(name));
    EXPECT_EQ(model.config().model_type, "electra");
    EXPECT_EQ(model.config().embedding_width(),
              std::string_view(name) == "sequence_as_wide" ? 32 : 16);
    EXPECT_FALSE(model.has_pooler());
    const auto output = model(expected.batch(), {.output_hidden_states = true});
    EXPECT_LE(max_abs_difference(output.last_hidden_state, expected.tensor("last_hidden_state")),
              electra_tolerance);
    EXPECT_LE(max_abs_difference(output.hidden_states.front(), expected.hidden_state(0)),
              electra_tolerance);
    EXPECT_TRUE(output.pooler_output.empty());
  }
}

TEST(Electra, TheGeneratorFillsMasks) {
  for (const auto* name : {"generator", "generator_untied", "generator_bin"}) {
    SCOPED_TRACE(name);
    const auto expected = electra_golden(name);
    const auto model = BertForMaskedLM::from_pretrained(electra_directory(name));
    EXPECT_LE(max_abs_difference(model(expected.batch(), expected.ints("positions")),
                                 expected.tensor("prediction_logits")),
              electra_tolerance);
  }
}

TEST(Electra, TheDiscriminatorTellsReplacedTokens) {
  const auto expected = electra_golden("discriminator");
  const auto model = ElectraForPreTraining::from_pretrained(electra_directory("discriminator"));
  EXPECT_LE(max_abs_difference(model(expected.batch()), expected.tensor("logits")),
            electra_tolerance);
}

TEST(Electra, ItsTaskHeadsComputeWhatTransformersComputes) {
  for (const auto* name : {"sequence", "sequence_as_wide"}) {
    SCOPED_TRACE(name);
    const auto sequence = electra_golden(name);
    const auto model = BertForSequenceClassification::from_pretrained(electra_directory(name));
    EXPECT_LE(max_abs_difference(model(sequence.batch()), sequence.tensor("logits")),
              electra_tolerance);
  }
  const auto token = electra_golden("token");
  EXPECT_LE(max_abs_difference(BertForTokenClassification::from_pretrained(
                                   electra_directory("token"))(token.batch()),
                               token.tensor("logits")),
            electra_tolerance);
  const auto question = electra_golden("question");
  const auto answer =
      BertForQuestionAnswering::from_pretrained(electra_directory("question"))(question.batch());
  EXPECT_LE(max_abs_difference(answer.start_logits, question.tensor("start_logits")),
            electra_tolerance);
  EXPECT_LE(max_abs_difference(answer.end_logits, question.tensor("end_logits")),
            electra_tolerance);
  const auto choice = electra_golden("choice");
  EXPECT_LE(max_abs_difference(BertForMultipleChoice::from_pretrained(electra_directory("choice"))(
                                   choice.batch(), 1),
                               choice.tensor("logits")),
            electra_tolerance);
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
    EXPECT_EQ(names_in(saved.path()), names_in(electra_directory(name)));
    const auto config = BertConfig::from_pretrained(saved.path());
    EXPECT_EQ(config.model_type, "electra");
    EXPECT_EQ(config.embedding_size, 16);
    EXPECT_THAT(config.architectures, ::testing::ElementsAre(architecture));
  };
  expect("model", BertModel::from_pretrained(electra_directory("model")), "ElectraModel");
  expect("generator", BertForMaskedLM::from_pretrained(electra_directory("generator")),
         "ElectraForMaskedLM");
  expect("generator_untied",
         BertForMaskedLM::from_pretrained(electra_directory("generator_untied")),
         "ElectraForMaskedLM");
  expect("discriminator",
         ElectraForPreTraining::from_pretrained(electra_directory("discriminator")),
         "ElectraForPreTraining");
  expect("sequence", BertForSequenceClassification::from_pretrained(electra_directory("sequence")),
         "ElectraForSequenceClassification");
  expect("token", BertForTokenClassification::from_pretrained(electra_directory("token")),
         "ElectraForTokenClassification");
  expect("question", BertForQuestionAnswering::from_pretrained(electra_directory("question")),
         "ElectraForQuestionAnswering");
  expect("choice", BertForMultipleChoice::from_pretrained(electra_directory("choice")),
         "ElectraForMultipleChoice");
}

TEST(Electra, ARandomOneIsSavedAndLoadedAgain) {
  auto config = BertConfig::from_pretrained(electra_directory("model"));
  config.tie_word_embeddings = true;
  const auto batch = electra_golden("model").batch();
  const std::vector<std::int32_t> positions{0, 3};
  const testing::TempDirectory saved;
  const auto generator = BertForMaskedLM::random(config, 7);
  generator.save_pretrained(saved.path());
  EXPECT_EQ(names_in(saved.path()), names_in(electra_directory("generator")));
  EXPECT_EQ(max_abs_difference(BertForMaskedLM::from_pretrained(saved.path())(batch, positions),
                               generator(batch, positions)),
            0);
  const testing::TempDirectory other;
  const auto discriminator = ElectraForPreTraining::random(config, 7);
  discriminator.save_pretrained(other.path());
  EXPECT_EQ(names_in(other.path()), names_in(electra_directory("discriminator")));
}

TEST(Electra, ParametersAreCountedOnce) {
  const auto count = [](std::string_view name) {
    std::int64_t elements = 0;
    const auto checkpoint = Checkpoint::open(electra_directory(name));
    for (const auto& tensor : checkpoint.names()) {
      std::int64_t size = 1;
      for (const auto dim : checkpoint.info(tensor).shape) size *= dim;
      elements += size;
    }
    return elements;
  };
  EXPECT_EQ(BertModel::from_pretrained(electra_directory("model")).num_parameters(),
            count("model"));
  EXPECT_EQ(BertForMaskedLM::from_pretrained(electra_directory("generator")).num_parameters(),
            count("generator"));
  EXPECT_EQ(
      BertForMaskedLM::from_pretrained(electra_directory("generator_untied")).num_parameters(),
      count("generator_untied"));
  EXPECT_EQ(
      ElectraForPreTraining::from_pretrained(electra_directory("discriminator")).num_parameters(),
      count("discriminator"));
  EXPECT_EQ(BertForSequenceClassification::from_pretrained(electra_directory("sequence"))
                .num_parameters(),
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

TEST(Electra, TheSecondDeviceComputesTheSame) {
  auto config = internal::small_config();
  config.model_type = "electra";
  config.embedding_size = 24;
  config.hidden_act = Activation::silu;
  for (const auto& head : internal::kHeads) {
    if (!head.families.contains(internal::Family::electra)) continue;
    SCOPED_TRACE(head.pipeline);
    RandomStream random(4, 0);
    const auto batch = internal::random_batch(random, config);
    const auto positions = internal::random_ints(random, 9, batch.total_tokens());
    const auto on_cpu = internal::HeadModel::random(config, head, 5, {});
    const auto on_second = internal::HeadModel::random(config, head, 5, {}, internal::second());
    internal::expect_same(on_second->run(batch, positions), on_cpu->run(batch, positions),
                          std::string(head.pipeline));
    if (head.layers().size() != 1) continue;
    internal::RandomWeights weights(config, 9);
    internal::InputGradients gradients(config, weights, head),
        of_second(config, weights, head, internal::second());
    const auto sums = gradients.embedding_sums(batch);
    EXPECT_EQ(sums.dim(1), 24);
    const std::vector<internal::ScoredLogit> logits{{.token = 0, .output = 0}};
    internal::expect_same(of_second.run(batch, sums, logits, true).gradients,
                          gradients.run(batch, sums, logits, true).gradients, "gradients");
  }
}

// The gradient by the embeddings is the slope of the score.
TEST(Electra, InputGradientsAreTheSlope) {
  auto config = internal::small_config();
  config.model_type = "electra";
  config.embedding_size = 24;
  for (const auto& head : internal::kHeads) {
    if (!head.families.contains(internal::Family::electra) || head.layers().size() != 1) continue;
    SCOPED_TRACE(head.pipeline);
    internal::RandomWeights weights(config, 9);
    internal::InputGradients model(config, weights, head);
    Batch batch;
    batch.append(std::vector<std::int32_t>{5, 9, 14, 3, 33});
    const std::vector<internal::ScoredLogit> logits{{.token = 0, .output = 0}};
    const auto sums = model.embedding_sums(batch);
    const auto gradient = model.run(batch, sums, logits, true).gradients;
    double length = 0;
    for (const double value : gradient.values<float>()) length += value * value;
    const double step = 1e-2 / std::sqrt(length);
    const auto score_at = [&](double shift) {
      auto moved = Tensor::from<float>(sums.shape(), sums.values<float>());
      const auto values = moved.mutable_values<float>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] += static_cast<float>(shift * gradient.values<float>()[i]);
      }
      return model.run(batch, moved, logits, false).scores.front();
    };
    EXPECT_NEAR((score_at(step) - score_at(-step)) / (2 * step), length, 2e-2 * length);
  }
}

TEST(Encoder, TokensThatAreNotAttendedToChangeNoOthers) {
  const auto config = internal::small_config();
  const auto model = BertModel::random(config, 3);
  RandomStream random(8, 0);
  const auto batch = internal::random_batch(random, config);
  std::vector<std::int32_t> attended;
  Batch seen;
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const auto kept = std::max<std::int64_t>(1, batch.length(s) / 2);
    attended.push_back(static_cast<std::int32_t>(kept));
    const auto whole = testing::alone(batch, s);
    const auto count = static_cast<std::size_t>(kept);
    seen.append(std::span(whole.input_ids).first(count),
                std::span(whole.token_type_ids).first(count));
  }
  const auto masked = model(batch, {.attended = attended}).last_hidden_state;
  const auto alone = model(seen).last_hidden_state;
  for (std::size_t s = 0; s < attended.size(); ++s) {
    const auto at = batch.cu_seqlens[s], from = seen.cu_seqlens[s];
    EXPECT_LE(
        max_abs_difference(masked.rows(at, at + attended[s]), alone.rows(from, from + attended[s])),
        1e-6);
  }
  // Of a token that is not attended to the neighbours of its kind tell nothing: it sees the others alone.
  auto other = batch;
  for (std::size_t s = 0; s < attended.size(); ++s) {
    for (auto i = batch.cu_seqlens[s] + attended[s] + 1; i < batch.cu_seqlens[s + 1]; ++i) {
      other.input_ids[static_cast<std::size_t>(i)] = 0;
    }
  }
  const auto changed = model(other, {.attended = attended}).last_hidden_state;
  for (std::size_t s = 0; s < attended.size(); ++s) {
    const auto at = batch.cu_seqlens[s] + attended[s];
    if (at >= batch.cu_seqlens[s + 1]) continue;
    EXPECT_LE(max_abs_difference(changed.rows(at, at + 1), masked.rows(at, at + 1)), 1e-6);
  }
  const auto refused = [&](std::vector<std::int32_t> counts, bool attentions = false) {
    EXPECT_THROW(
        static_cast<void>(model(batch, {.output_attentions = attentions, .attended = counts})),
        ArgumentError);
  };
  refused(attended, true);
  refused({1});
  attended[2] = 0;
  refused(attended);
  attended[2] = 99;
  refused(attended);
}

TEST(Electra, WhatIsNotThereIsNamedAsElectraNamesIt) {
  EXPECT_THAT(
      refusal([] {
        static_cast<void>(BertForMaskedLM::from_pretrained(electra_directory("discriminator")));
      }),
      ::testing::AllOf(HasSubstr("generator_predictions.dense.weight"),
                       HasSubstr("ElectraForMaskedLM")));
  EXPECT_THAT(
      refusal([] {
        static_cast<void>(ElectraForPreTraining::from_pretrained(golden_directory("pretraining")));
      }),
      ::testing::AllOf(HasSubstr("replaced token detection"), HasSubstr("ElectraForPreTraining")));
  EXPECT_THAT(refusal([] {
                static_cast<void>(BertForNextSentencePrediction::from_pretrained(
                    electra_directory("discriminator")));
              }),
              HasSubstr("BertForNextSentencePrediction"));
}

TEST(Electra, PreTrainingIsRefused) {
  const auto config = BertConfig::from_pretrained(electra_directory("model"));
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
