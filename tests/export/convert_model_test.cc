// Any checkpoint → a Hugging Face directory: the same bits, the same logits, nothing lost.
#include <algorithm>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/convert.h"
#include "cloze/error.h"
#include "cloze/sentence_settings.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"
#include "sentence/dense.h"
#include "sentence/pooling.h"

namespace cloze {
namespace {

using ::testing::ElementsAre;
using testing::Golden;
using testing::golden_directory;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::max_abs_difference;
using testing::read_file;
using testing::TempDirectory;

namespace fs = std::filesystem;

void expect_same_tensors(const fs::path& a, const fs::path& b) {
  const auto first = Checkpoint::open(a), second = Checkpoint::open(b);
  EXPECT_EQ(first.names(), second.names());
  for (const auto& name : second.names()) {
    if (!first.contains(name)) continue;
    const auto x = first.tensor(name), y = second.tensor(name);
    EXPECT_EQ(x.shape(), y.shape()) << name;
    EXPECT_TRUE(x.dtype() == y.dtype() &&
                std::equal(x.bytes().begin(), x.bytes().end(), y.bytes().begin(), y.bytes().end()))
        << name;
  }
}

TEST(ConvertModel, SafetensorsStayByteForByte) {
  for (const auto* name : {"pretraining", "bare_odd", "next_sentence_f16", "sequence_3_labels",
                           "token_5_layers", "choice", "distilbert/masked_lm",
                           "distilbert/sequence", "distilbert/token", "distilbert/question"}) {
    SCOPED_TRACE(name);
    const TempDirectory directory;
    const auto converted = convert_model(golden_directory(name), directory.path());
    EXPECT_THAT(converted.left_out, IsEmpty());
    EXPECT_TRUE(converted.tokenizer);
    const auto before = BertConfig::from_pretrained(golden_directory(name)),
               after = BertConfig::from_pretrained(directory.path());
    EXPECT_EQ(after.architectures, before.architectures);
    EXPECT_EQ(after.model_type, before.model_type);
    expect_same_tensors(directory.path(), golden_directory(name));
  }
}

TEST(ConvertModel, AGoogleReleaseComputesTheSame) {
  const TempDirectory directory;
  const auto converted =
      convert_model(golden_directory("tensorflow") / "release", directory.path());
  EXPECT_EQ(converted.architecture, "BertForPreTraining");
  expect_same_tensors(directory.path(), golden_directory("pretraining_tanh"));
  const auto golden = Golden::named("pretraining_tanh");
  const auto model = BertForPreTraining::from_pretrained(directory.path());
  EXPECT_EQ(model.config().hidden_act, Activation::gelu_tanh);
  EXPECT_LE(max_abs_difference(model(golden.batch(), golden.ints("positions")).prediction_logits,
                               golden.tensor("prediction_logits")),
            2e-5);
  EXPECT_THAT(read_file(directory.path() / "config.json"), HasSubstr("gelu_new"));
}

TEST(ConvertModel, OldNamesBecomeNew) {
  const TempDirectory directory;
  (void)convert_model(golden_directory("question_legacy_names"), directory.path());
  const auto checkpoint = Checkpoint::open(directory.path());
  EXPECT_TRUE(checkpoint.contains("bert.embeddings.LayerNorm.weight"));
  EXPECT_FALSE(checkpoint.contains("bert.embeddings.LayerNorm.gamma"));
  const auto golden = Golden::named("question_legacy_names");
  const auto logits = BertForQuestionAnswering::from_pretrained(directory.path())(golden.batch());
  EXPECT_LE(max_abs_difference(logits.start_logits, golden.tensor("start_logits")), 2e-5);
}

TEST(ConvertModel, TheDecoderIsTheOneThatWasStored) {
  for (const auto* name : {"masked_lm_untied", "masked_lm_untied_one_bias",
                           "masked_lm_tied_but_different", "masked_lm_tied_stored_bf16"}) {
    SCOPED_TRACE(name);
    const TempDirectory directory;
    (void)convert_model(golden_directory(name), directory.path());
    const auto golden = Golden::named(name);
    const auto logits = BertForMaskedLM::from_pretrained(directory.path())(
        golden.batch(), golden.ints("positions"));
    EXPECT_LE(max_abs_difference(logits, golden.tensor("prediction_logits")), 2e-5);
  }
}

TEST(ConvertModel, StoresAsToldWhatWasOfAnotherType) {
  const TempDirectory directory;
  (void)convert_model(golden_directory("pretraining"), directory.path(), {.dtype = DType::bf16});
  const auto checkpoint = Checkpoint::open(directory.path());
  for (const auto& name : checkpoint.names()) {
    EXPECT_EQ(checkpoint.info(name).dtype, DType::bf16) << name;
  }
  EXPECT_THAT(read_file(directory.path() / "config.json"), HasSubstr("\"dtype\": \"bfloat16\""));
}

// DistilBertTokenizer takes only the vocabulary of tokenizer.json.
TEST(ConvertModel, ADistilBertKeepsATokenizerThatTokenizerJsonAloneDescribes) {
  const TempDirectory source, plain, whole;
  fs::copy(golden_directory("distilbert") / "token", source.path());
  (void)convert_model(source.path(), plain.path());
  EXPECT_THAT(read_file(plain / "tokenizer_config.json"), HasSubstr("\"DistilBertTokenizer\""));

  auto json = read_file(plain / "tokenizer.json");
  const std::string clean = "\"clean_text\": true";
  ASSERT_NE(json.find(clean), std::string::npos);
  json.replace(json.find(clean), clean.size(), "\"clean_text\": false");
  source.write("tokenizer.json", json);
  source.write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  (void)convert_model(source.path(), whole.path());
  EXPECT_THAT(read_file(whole / "tokenizer_config.json"), HasSubstr("\"PreTrainedTokenizerFast\""));
  const std::string_view text("a\x01 b", 4);
  const auto before = Tokenizer::from_pretrained(source.path()).encode(text).ids;
  EXPECT_EQ(Tokenizer::from_pretrained(whole.path()).encode(text).ids, before);
  EXPECT_NE(Tokenizer::from_pretrained(plain.path()).encode(text).ids, before);
}

TEST(ConvertModel, NeverWritesOverItsSource) {
  const TempDirectory directory;
  fs::copy(golden_directory("bare_odd"), directory.path());
  EXPECT_THROW((void)convert_model(directory.path(), directory.path() / "."), ArgumentError);
}

std::map<std::string, std::string> contents_of(const fs::path& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(directory)) {
    contents[entry.path().filename().string()] = read_file(entry.path());
  }
  return contents;
}

TEST(ConvertModel, ReplacesAModelAsAWholeWhenToldTo) {
  const TempDirectory directory, expected;
  (void)convert_model(golden_directory("bare_odd"), directory.path());
  const auto before = contents_of(directory.path());
  EXPECT_THROW((void)convert_model(golden_directory("pretraining"), directory.path()),
               ArgumentError);
  // The last file that is replaced cannot be: all others are as they were.
  fs::permissions(directory / "config.json", fs::perms(0444));
  EXPECT_THROW(
      (void)convert_model(golden_directory("pretraining"), directory.path(), {.overwrite = true}),
      IoError);
  EXPECT_EQ(contents_of(directory.path()), before);
  fs::permissions(directory / "config.json", fs::perms(0644));
  (void)convert_model(golden_directory("pretraining"), directory.path(), {.overwrite = true});
  (void)convert_model(golden_directory("pretraining"), expected.path());
  EXPECT_EQ(contents_of(directory.path()), contents_of(expected.path()));
  // Nothing but a model is replaced.
  directory.write("run.json", "{}");
  EXPECT_THROW(
      (void)convert_model(golden_directory("bare_odd"), directory.path(), {.overwrite = true}),
      ArgumentError);
}

TEST(SavePretrained, ReplacesAModelAsAWhole) {
  const TempDirectory directory;
  const auto small = BertModel::from_pretrained(golden_directory("bare_odd"));
  const auto other = BertForPreTraining::from_pretrained(golden_directory("pretraining"));
  const auto tokenizer = Tokenizer::from_pretrained(golden_directory("pretraining"));
  small.save_pretrained(directory.path());
  Tokenizer::from_pretrained(golden_directory("bare_odd")).save_pretrained(directory.path());
  const auto before = contents_of(directory.path());
  for (const auto* name : {"config.json", "model.safetensors", "tokenizer_config.json"}) {
    fs::permissions(directory / name, fs::perms(0444));
  }
  EXPECT_THROW(other.save_pretrained(directory.path()), IoError);
  EXPECT_THROW(tokenizer.save_pretrained(directory.path()), IoError);
  EXPECT_EQ(contents_of(directory.path()), before);
  for (const auto* name : {"config.json", "model.safetensors", "tokenizer_config.json"}) {
    fs::permissions(directory / name, fs::perms(0644));
  }
  other.save_pretrained(directory.path());
  tokenizer.save_pretrained(directory.path());
  EXPECT_THAT(read_file(directory / "config.json"), HasSubstr("BertForPreTraining"));
  EXPECT_EQ(contents_of(directory.path()).size(), before.size());
  // A model that is saved over the files that it is mapped from.
  const auto again = BertForPreTraining::from_pretrained(directory.path());
  const auto weights = read_file(directory / "model.safetensors");
  again.save_pretrained(directory.path());
  EXPECT_EQ(read_file(directory / "model.safetensors"), weights);
}

/// A sentence-transformers directory of the older layout: 0_Transformer, 1_Pooling, 2_Dense.
void write_sentence_model(const TempDirectory& directory, const std::string& mode) {
  const auto& root = directory.path();
  fs::copy(golden_directory("bare_odd"), root / "0_Transformer");
  directory.write("config.json", R"({"__version__": "0.2.0"})");
  directory.write("modules.json", R"([
    {"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  directory.write("0_Transformer/sentence_bert_config.json", R"({"max_seq_length": 7})");
  fs::create_directory(root / "1_Pooling");
  directory.write("1_Pooling/config.json", "{\"pooling_mode_" + mode + "\": true}");
  fs::create_directory(root / "2_Dense");
  directory.write("2_Dense/config.json",
                  R"({"in_features": 24, "out_features": 2, "bias": true,
                      "activation_function": "torch.nn.modules.activation.Tanh"})");
  auto weight = Tensor::zeros(DType::f32, {2, 24});
  weight.mutable_values<float>()[0] = 1.0F;
  weight.mutable_values<float>()[25] = 2.0F;
  save_safetensors(root / "2_Dense/model.safetensors",
                   {{"linear.weight", weight},
                    {"linear.bias", Tensor::from<float>({2}, std::vector<float>{0.5F, 0.0F})}});
}

TEST(SentenceSettings, FollowsModulesAndTheOlderLayout) {
  const TempDirectory directory;
  write_sentence_model(directory, "weightedmean_tokens");
  EXPECT_EQ(transformer_directory(directory.path()), directory.path() / "0_Transformer");
  const auto settings = sentence_settings(directory.path());
  ASSERT_TRUE(settings.has_value());
  EXPECT_THAT(settings->poolings, ElementsAre(Pooling::weighted_mean));
  EXPECT_TRUE(settings->normalizes());
  EXPECT_EQ(settings->max_seq_length, 7);
  ASSERT_EQ(settings->steps.size(), 2U);
  EXPECT_EQ(settings->steps.at(0).directory, directory.path() / "2_Dense");
  const auto dense = Dense::from_pretrained(settings->steps.at(0).directory);
  auto rows = Tensor::zeros(DType::f32, {1, 24});
  rows.mutable_values<float>()[0] = 0.25F;
  rows.mutable_values<float>()[1] = -0.5F;
  const auto result = dense(rows);
  EXPECT_NEAR(result.values<float>()[0], std::tanh(0.75), 1e-6);
  EXPECT_NEAR(result.values<float>()[1], std::tanh(-1.0), 1e-6);
}

TEST(SentenceSettings, ModulesLieInsideTheDirectory) {
  const TempDirectory directory;
  for (const auto* path : {"../other", "/etc"}) {
    directory.write("modules.json",
                    std::string(R"([{"path": ")") + path + R"(", "type": "x.Transformer"}])");
    EXPECT_THROW((void)transformer_directory(directory.path()), FormatError);
  }
}

TEST(ConvertModel, KeepsSentenceTransformersModules) {
  const TempDirectory source, directory;
  write_sentence_model(source, "mean_tokens");
  source.write("config_sentence_transformers.json",
               R"({"prompts": {"query": "a "}, "default_prompt_name": "query",
                   "similarity_fn_name": "dot", "truncate_dim": 1})");
  (void)convert_model(source.path(), directory.path());
  EXPECT_EQ(transformer_directory(directory.path()), directory.path());
  const auto settings = sentence_settings(directory.path());
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->prompts.resolve({}, {}), "a ");
  EXPECT_EQ(settings->similarity_fn, SimilarityFunction::dot);
  EXPECT_EQ(settings->truncate_dim, 1);
  EXPECT_EQ(settings->max_seq_length, 7);
  expect_same_tensors(settings->steps.at(0).directory, source.path() / "2_Dense");
  EXPECT_TRUE(fs::exists(directory.path() / "config.json"));
}

// A cache of models may hold a module as a link to a directory elsewhere.
TEST(ConvertModel, WritesModulesInsideTheDestinationWhereverTheirLinksLead) {
  const TempDirectory source, elsewhere, directory;
  write_sentence_model(source, "mean_tokens");
  fs::rename(source.path() / "2_Dense", elsewhere.path() / "dense");
  fs::create_directory_symlink(elsewhere.path() / "dense", source.path() / "2_Dense");
  (void)convert_model(source.path(), directory.path() / "converted");
  EXPECT_TRUE(fs::exists(directory.path() / "converted/2_Dense/model.safetensors"));
  const auto settings = sentence_settings(directory.path() / "converted");
  ASSERT_TRUE(settings.has_value());
  expect_same_tensors(settings->steps.at(0).directory, elsewhere.path() / "dense");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()), 1);
}

TEST(ConvertModel, TellsItsProgressAndWritesNothingWhenCancelled) {
  const TempDirectory directory;
  const auto wanted = directory.path() / "model";
  std::int64_t done = 0, total = 0;
  const auto tell = [&](const Progress& progress) {
    EXPECT_EQ(progress.unit, "tensors");
    done = progress.done;
    total = progress.total;
    return done < 3;
  };
  EXPECT_THROW((void)convert_model(golden_directory("pretraining"), wanted, {}, tell), Cancelled);
  EXPECT_EQ(done, 3);
  EXPECT_GT(total, 30);
  EXPECT_FALSE(fs::exists(wanted));
  EXPECT_THROW((void)convert_model(golden_directory("pretraining"), wanted, {.dtype = DType::i8}),
               ArgumentError);
}

TEST(Pooling, TheFurtherOnesOfSentenceTransformers) {
  const auto hidden = Tensor::from<float>({4, 1}, std::vector<float>{1.0F, 2.0F, 4.0F, 9.0F});
  const Batch batch{.input_ids = {1, 1, 1, 1},
                    .token_type_ids = {0, 0, 0, 0},
                    .position_ids = {0, 1, 2, 0},
                    .cu_seqlens = {0, 3, 4}};
  const auto first = [&](Pooling pooling) {
    const auto pooled = pool(hidden, batch, pooling);
    return pooled.values<float>()[0];
  };
  EXPECT_NEAR(first(Pooling::mean_sqrt_len), 7.0 / std::sqrt(3.0), 1e-6);
  EXPECT_NEAR(first(Pooling::weighted_mean), (1.0 + 4.0 + 12.0) / 6.0, 1e-6);
  EXPECT_EQ(first(Pooling::last_token), 4.0F);
  EXPECT_EQ(pooling_from("lasttoken"), Pooling::last_token);
}

}  // namespace
}  // namespace cloze
