// What the files of sentence-transformers say: each field is read, changes nothing, or is refused by
// its name; a field that is unknown is warned of.
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "sentence/dense.h"
#include "sentence/ranking_settings.h"
#include "sentence/sentence_model.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SentenceModel;

SentenceSettings settings_of(const SentenceModel& model) {
  return sentence_settings(model.root()).value();
}

std::string refusal(const SentenceModel& model) {
  try {
    static_cast<void>(sentence_settings(model.root()));
    return "nothing was refused";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(SentenceSettingsFiles, PoolingModesOfAllVersions) {
  const SentenceModel model;
  const std::vector<std::pair<const char*, std::vector<Pooling>>> cases{
      {R"({})", {Pooling::mean}},
      {R"({"pooling_mode": "cls"})", {Pooling::cls}},
      {R"({"pooling_mode": ["lasttoken", "mean", "mean"]})",
       {Pooling::last_token, Pooling::mean, Pooling::mean}},
      {R"({"pooling_mode": ["mean_sqrt_len_tokens"]})", {Pooling::mean_sqrt_len}},
      {R"({"word_embedding_dimension": 24, "pooling_mode_mean_tokens": true,
           "pooling_mode_cls_token": true, "pooling_mode_max_tokens": false,
           "pooling_mode_lasttoken": true, "pooling_mode_weightedmean_tokens": true})",
       {Pooling::cls, Pooling::mean, Pooling::weighted_mean, Pooling::last_token}},
      {R"({"pooling_mode_mean_tokens": false})", {Pooling::mean}},
      {R"({"pooling_mode": "max", "pooling_mode_mean_tokens": true})", {Pooling::max}}};
  for (const auto& [json, poolings] : cases) {
    model.write("1_Pooling/config.json", json);
    const auto settings = settings_of(model);
    EXPECT_EQ(settings.poolings, poolings) << json;
    EXPECT_TRUE(settings.include_prompt);
    EXPECT_THAT(settings.warnings, IsEmpty()) << json;
  }
  model.write("1_Pooling/config.json", R"({"include_prompt": false, "embedding_dimension": 24})");
  EXPECT_FALSE(settings_of(model).include_prompt);
}

TEST(SentenceSettingsFiles, TheModelAsAWhole) {
  const SentenceModel model;
  model.write("config_sentence_transformers.json",
              R"({"__version__": {"sentence_transformers": "6.2.0"}, "prompts":
                  {"query": "q: ", "document": null}, "default_prompt_name": "query",
                  "similarity_fn_name": "manhattan", "truncate_dim": 3,
                  "model_type": "SentenceTransformer"})");
  const auto settings = settings_of(model);
  EXPECT_EQ(settings.prompts.resolve({}, {}), "q: ");
  EXPECT_EQ(settings.prompts.resolve({}, "document"), "");
  EXPECT_EQ(settings.prompts.resolve("own ", {}), "own ");
  EXPECT_EQ(settings.prompts.resolve("", {}), "");
  EXPECT_EQ(settings.similarity_fn, SimilarityFunction::manhattan);
  EXPECT_EQ(settings.truncate_dim, 3);
  EXPECT_THAT(settings.warnings, IsEmpty());
  try {
    static_cast<void>(settings.prompts.resolve({}, "passage"));
    ADD_FAILURE() << "there is no such prompt";
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\"passage\""), HasSubstr("document, query")));
  }
  EXPECT_THROW(static_cast<void>(settings.prompts.resolve("a", "query")), ArgumentError);
}

TEST(SentenceSettingsFiles, TheTransformersFileUnderAllItsNames) {
  for (const auto* file : {"sentence_bert_config.json", "sentence_distilbert_config.json",
                           "sentence_xlm-roberta_config.json"}) {
    const SentenceModel model;
    model.write(file, R"({"max_seq_length": 7, "do_lower_case": true,
        "model_args": {"add_pooling_layer": false}, "unpad_inputs": false,
        "transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
        "modality_config": {"text": {"method": "forward",
                                     "method_output_name": "last_hidden_state"}}})");
    const auto settings = settings_of(model);
    EXPECT_EQ(settings.max_seq_length, 7);
    EXPECT_TRUE(settings.do_lower_case);
    EXPECT_EQ(settings.transformer_file, file);
    EXPECT_THAT(settings.warnings, IsEmpty());
  }
  const SentenceModel model;
  model.write("sentence_bert_config.json", "{}");
  model.write("sentence_roberta_config.json",
              R"({"max_seq_length": 9, "tokenizer_args": {"model_max_length": 5}})");
  EXPECT_EQ(settings_of(model).max_seq_length, 5);
}

TEST(SentenceSettingsFiles, WhatCannotBeHonouredIsRefusedByItsName) {
  const std::vector<std::tuple<const char*, const char*, const char*>> cases{
      {"1_Pooling/config.json", R"({"pooling_mode": "guess"})", "guess"},
      {"1_Pooling/config.json", R"({"pooling_mode_attention": true})", "attention"},
      {"2_Dense/config.json", R"({"module_input_name": "token_embeddings"})", "module_input_name"},
      {"2_Dense/config.json", R"({"module_output_name": "scores"})", "module_output_name"},
      {"3_Normalize/config.json", R"({"module_input_name": "token_embeddings"})",
       "module_input_name"},
      {"sentence_bert_config.json", R"({"query_expansion": {"a": 1}})", "query_expansion"},
      {"sentence_bert_config.json", R"({"processing_kwargs": {"text": {"max_length": 4}}})",
       "processing_kwargs"},
      {"sentence_bert_config.json", R"({"transformer_task": "fill-mask"})", "transformer_task"},
      {"sentence_bert_config.json", R"({"tokenizer_args": {"truncation_side": "left"}})",
       "truncation_side"},
      {"sentence_bert_config.json", R"({"config_args": {"num_hidden_layers": 1}})",
       "num_hidden_layers"},
      {"sentence_bert_config.json", R"({"model_args": {"subfolder": "onnx"}})", "subfolder"},
      {"sentence_bert_config.json",
       R"({"modality_config": {"text": {"method_output_name": "pooler_output"}}})",
       "method_output_name"},
      {"config_sentence_transformers.json", R"({"model_type": "SparseEncoder"})", "SparseEncoder"},
      {"config_sentence_transformers.json", R"({"model_type": "CrossEncoder"})", "cloze rank"},
      {"config_sentence_transformers.json", R"({"similarity_fn_name": "maxsim"})", "maxsim"},
      {"config_sentence_transformers.json", R"({"truncate_dim": 0})", "truncate_dim"},
      {"config_sentence_transformers.json", R"({"default_prompt_name": "query"})",
       "default_prompt_name"}};
  for (const auto& [file, json, part] : cases) {
    const SentenceModel model({"1_Pooling", "2_Dense", "3_Normalize"});
    model.write_dense("2_Dense", 24, 5);
    EXPECT_EQ(refusal(model), "nothing was refused");
    model.write(file, json);
    const std::string name(file);
    EXPECT_THAT(refusal(model), AllOf(HasSubstr(name), HasSubstr(part))) << json;
  }
}

TEST(SentenceSettingsFiles, UnknownFieldsAreWarnedOfOnce) {
  const SentenceModel model({"1_Pooling", "2_Normalize"});
  model.write("1_Pooling/config.json", R"({"pooling_mode": "mean", "sharpness": 2})");
  model.write("config_sentence_transformers.json", R"({"colour": "red", "shade": 1})");
  EXPECT_THAT(
      settings_of(model).warnings,
      ElementsAre(AllOf(HasSubstr("config_sentence_transformers.json"), HasSubstr("colour, shade")),
                  AllOf(HasSubstr("1_Pooling"), HasSubstr("sharpness"))));
}

TEST(SentenceSettingsFiles, Modules) {
  for (const auto& [modules, part] : std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{}, "no Pooling"},
           {{"1_Dense"}, "no Pooling"},
           {{"1_Dense", "2_Pooling"}, "before the Pooling"},
           {{"1_Pooling", "2_Pooling"}, "after another Pooling"},
           {{"1_SpladePooling"}, "SpladePooling"},
           {{"1_Pooling", "2_LayerNorm"}, "LayerNorm"},
           {{"1_MLMTransformer"}, "MLMTransformer"}}) {
    const SentenceModel model(modules);
    for (const auto& path : modules) {
      if (path.ends_with("Dense")) model.write_dense(path, 24, 5);
    }
    EXPECT_THAT(refusal(model), HasSubstr(part));
  }
  const SentenceModel foreign({"1_Pooling"});
  foreign.write("modules.json",
                R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
                    {"path": "1_Dense", "type": "pylate.models.Dense.Dense"}])");
  EXPECT_THAT(refusal(foreign), HasSubstr("pylate.models.Dense.Dense"));
  const SentenceModel routed({"1_Pooling"});
  routed.write("modules.json",
               R"([{"path": "", "type": "sentence_transformers.models.Transformer",
                    "kwargs": ["task"]}])");
  EXPECT_THAT(refusal(routed), HasSubstr("kwargs"));
}

TEST(SentenceSettingsFiles, StepsKeepTheirOrder) {
  const SentenceModel model({"1_Pooling", "2_Normalize", "3_Dense", "4_Dropout", "5_Normalize"});
  model.write_dense("3_Dense", 24, 5);
  const auto steps = settings_of(model).steps;
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].kind, SentenceStep::Kind::normalize);
  EXPECT_EQ(steps[1].kind, SentenceStep::Kind::dense);
  EXPECT_EQ(steps[1].directory, model.root() / "3_Dense");
  EXPECT_EQ(steps[2].kind, SentenceStep::Kind::normalize);
}

TEST(DenseModule, ResidualConnections) {
  const SentenceModel model({"1_Pooling", "2_Dense"});
  const auto rows = SentenceModel::numbers({3, 4}, 5);
  for (const std::int64_t out : {4, 6}) {
    const std::string identity = R"("activation_function": "torch.nn.modules.linear.Identity",)";
    model.write_dense("2_Dense", 4, out, identity);
    const auto plain = Dense::from_pretrained(model.root() / "2_Dense")(rows);
    model.write_dense("2_Dense", 4, out, identity + R"("use_residual": true,)");
    const auto residual = Dense::from_pretrained(model.root() / "2_Dense")(rows);
    const auto weight = SentenceModel::numbers({out, 4}, 29);
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t c = 0; c < out; ++c) {
        const auto at = static_cast<std::size_t>(r * out + c);
        double added = rows.values<float>()[static_cast<std::size_t>(r * 4 + c % 4)];
        if (out != 4) {
          added = 0;
          for (std::int64_t k = 0; k < 4; ++k) {
            added += double{rows.values<float>()[static_cast<std::size_t>(r * 4 + k)]} *
                     weight.values<float>()[static_cast<std::size_t>(c * 4 + k)];
          }
        }
        EXPECT_NEAR(residual.values<float>()[at], plain.values<float>()[at] + added, 1e-5);
      }
    }
  }
}

TEST(DenseModule, RefusesNumbersThatAreNoneAndOtherActivations) {
  const SentenceModel model({"1_Pooling", "2_Dense"});
  const auto message = [&] {
    try {
      static_cast<void>(read_dense(model.root() / "2_Dense"));
      return std::string("nothing was refused");
    } catch (const ModelError& error) {
      return std::string(error.what());
    }
  };
  model.write_dense("2_Dense", 4, 2, R"("activation_function": "mine.Identity",)");
  EXPECT_THAT(message(), HasSubstr("mine.Identity"));
  model.write_dense("2_Dense", 4, 2, R"("activation_function": "torch.nn.modules.Softmax",)");
  EXPECT_THAT(message(), HasSubstr("Softmax"));
  model.write_dense("2_Dense", 4, 2);
  EXPECT_EQ(read_dense(model.root() / "2_Dense").activation, ops::Epilogue::tanh);
  auto weight = SentenceModel::numbers({2, 4}, 3);
  weight.mutable_values<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  save_safetensors(model.root() / "2_Dense/model.safetensors", {{"linear.weight", weight}});
  EXPECT_THAT(message(), AllOf(HasSubstr("linear.weight"), HasSubstr("NaN")));
}

TEST(RankingSettingsFiles, TheActivationOfAllVersions) {
  const testing::TempDirectory folder;
  folder.write("config.json", "{}");
  const auto stated = [&](const char* extra) {
    BertConfig config;
    config.extra_json = extra;
    return ranking_settings(folder.path(), config);
  };
  EXPECT_FALSE(stated("{}").activation.has_value());
  EXPECT_EQ(stated(R"({"sbert_ce_default_activation_function":
                       "torch.nn.modules.linear.Identity"})")
                .activation,
            ScoreActivation::identity);
  const auto* newer = R"({"sentence_transformers":
      {"activation_fn": "torch.nn.modules.activation.Tanh", "version": "4.0.1"},
      "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"})";
  EXPECT_EQ(stated(newer).activation, ScoreActivation::tanh);
  EXPECT_THROW(static_cast<void>(stated(R"({"sentence_transformers": {"activation_fn": 3}})")),
               FormatError);
  EXPECT_EQ(stated(newer).activation_file, "config.json");
  folder.write("config_sentence_transformers.json",
               R"({"model_type": "CrossEncoder", "prompts": {"a": "b"},
                   "activation_fn": "torch.nn.modules.activation.Sigmoid"})");
  EXPECT_EQ(stated(newer).activation, ScoreActivation::tanh);  // not read without modules.json
  folder.write("modules.json",
               R"([{"path": "", "type": "sentence_transformers.base.modules.Transformer"}])");
  EXPECT_EQ(stated(newer).activation, ScoreActivation::sigmoid);
  EXPECT_EQ(stated(newer).prompts.resolve({}, "a"), "b");
  folder.write("config_sentence_transformers.json",
               R"({"model_type": "CrossEncoder", "activation_fn": "torch.nn.ELU"})");
  EXPECT_THROW(static_cast<void>(stated("{}")), ModelError);
  folder.write("config_sentence_transformers.json",
               R"({"model_type": "CrossEncoder", "activation_fn": "mine.Identity"})");
  EXPECT_THROW(static_cast<void>(stated("{}")), ModelError);
  folder.write("config_sentence_transformers.json", R"({"model_type": "CrossEncoder"})");
  folder.write("modules.json",
               R"([{"path": "", "type": "sentence_transformers.base.modules.Transformer"},
                   {"path": "", "type": "sentence_transformers.cross_encoder.modules.LogitScore"}])");
  EXPECT_THROW(static_cast<void>(stated("{}")), ModelError);
}

TEST(RankingSettingsFiles, Activations) {
  EXPECT_DOUBLE_EQ(activate(-2, ScoreActivation::identity), -2);
  EXPECT_DOUBLE_EQ(activate(0, ScoreActivation::sigmoid), 0.5);
  EXPECT_DOUBLE_EQ(activate(0.5, ScoreActivation::tanh), std::tanh(0.5));
  EXPECT_DOUBLE_EQ(activate(-2, ScoreActivation::relu), 0);
  EXPECT_EQ(name_of(ScoreActivation::relu), "ReLU");
}

}  // namespace
}  // namespace cloze
