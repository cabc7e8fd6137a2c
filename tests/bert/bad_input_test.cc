// What a model refuses: checkpoints that do not fit their config, and batches that make no sense.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/tensor.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"
#include "ops/machine.h"

namespace cloze::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A copy of a golden model in a directory of its own, to be damaged.
class DamagedModel : public ::testing::Test {
 protected:
  void copy(const char* name, const std::function<void(TensorMap&)>& damage = {},
            const std::function<void(nlohmann::json&)>& edit = {}) const {
    const auto source = golden_directory(name);
    const auto checkpoint = Checkpoint::open(source);
    TensorMap tensors;
    for (const auto& tensor : checkpoint.names()) tensors[tensor] = checkpoint.tensor(tensor);
    if (damage) damage(tensors);
    save_safetensors(directory_ / "model.safetensors", tensors);
    auto config = nlohmann::json::parse(std::ifstream(source / "config.json"));
    if (edit) edit(config);
    std::ofstream(directory_ / "config.json") << config.dump(2);
  }

  [[nodiscard]] const fs::path& directory() const { return directory_.path(); }

 private:
  testing::TempDirectory directory_;
};

TEST_F(DamagedModel, UndamagedItLoads) {
  copy("pretraining");
  const auto golden = Golden::named("pretraining");
  EXPECT_LE(
      max_abs_difference(BertModel::from_pretrained(directory())(golden.batch()).last_hidden_state,
                         golden.hidden_state(2)),
      2e-5);
}

TEST_F(DamagedModel, AnyMissingTensorIsNamed) {
  const auto names = Checkpoint::open(golden_directory("bare_odd")).names();
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    copy("bare_odd", [&](TensorMap& tensors) { tensors.erase(name); });
    if (name == "pooler.dense.weight" || name == "pooler.dense.bias") {
      // Half a pooler is a damaged checkpoint, not one without a pooler.
      EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
                  ThrowsMessage<ModelError>(HasSubstr("pooler.dense")));
      continue;
    }
    EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
                ThrowsMessage<ModelError>(HasSubstr(name)));
  }
}

TEST_F(DamagedModel, AnyWrongShapeIsNamedWithBothShapes) {
  const auto source = Checkpoint::open(golden_directory("pretraining"));
  for (const auto& name : source.names()) {
    SCOPED_TRACE(name);
    auto wrong = source.info(name).shape;
    wrong.back() += 1;
    copy("pretraining",
         [&](TensorMap& tensors) { tensors[name] = Tensor::zeros(DType::f32, wrong); });
    EXPECT_THAT([&] { (void)BertForPreTraining::from_pretrained(directory()); },
                ThrowsMessage<ModelError>(AllOf(HasSubstr(name), HasSubstr(to_string(wrong)),
                                                HasSubstr(to_string(source.info(name).shape)))));
  }
}

TEST_F(DamagedModel, ATransposedWeightIsAWrongShape) {
  const std::string name = "encoder.layer.0.intermediate.dense.weight";
  copy("bare_odd", [&](TensorMap& tensors) { tensors[name] = tensors[name].reshaped({24, 37}); });
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(
                  AllOf(HasSubstr(name), HasSubstr("[24, 37]"), HasSubstr("[37, 24]"))));
}

TEST_F(DamagedModel, AnIntegerWeightIsRefused) {
  const std::string name = "encoder.layer.1.output.dense.weight";
  copy("bare_odd", [&](TensorMap& tensors) {
    tensors[name] = Tensor::zeros(DType::i32, tensors[name].shape());
  });
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr("i32"))));
}

TEST_F(DamagedModel, AConfigThatAsksForMoreLayersNamesTheFirstMissingTensor) {
  copy("bare_odd", {}, [](nlohmann::json& config) { config["num_hidden_layers"] = 3; });
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(HasSubstr("encoder.layer.2.")));
}

TEST_F(DamagedModel, AConfigWithAnotherVocabularyIsRefused) {
  copy("bare_odd", {}, [](nlohmann::json& config) { config["vocab_size"] = 54; });
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(AllOf(HasSubstr("word_embeddings"), HasSubstr("[53, 24]"),
                                              HasSubstr("[54, 24]"))));
}

TEST_F(DamagedModel, HeadsThatDoNotDivideTheHiddenSizeAreRefused) {
  copy("bare_odd", {}, [](nlohmann::json& config) { config["num_attention_heads"] = 5; });
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(AllOf(HasSubstr("24"), HasSubstr("5"))));
}

TEST_F(DamagedModel, LabelsThatDisagreeWithTheClassifierAreRefused) {
  copy("sequence_3_labels", {}, [](nlohmann::json& config) {
    config["id2label"] = {{"0", "a"}, {"1", "b"}};
    config["label2id"] = {{"a", 0}, {"b", 1}};
  });
  EXPECT_THAT([&] { (void)BertForSequenceClassification::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(AllOf(HasSubstr("classifier.weight"), HasSubstr("[2, 64]"),
                                              HasSubstr("[3, 64]"))));
}

TEST_F(DamagedModel, AnUntiedDecoderMustBeInTheCheckpoint) {
  copy("masked_lm_untied",
       [](TensorMap& tensors) { tensors.erase("cls.predictions.decoder.weight"); });
  EXPECT_THAT([&] { (void)BertForMaskedLM::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(HasSubstr("cls.predictions.decoder.weight")));
}

TEST_F(DamagedModel, ADecoderMustHaveABias) {
  copy("pretraining", [](TensorMap& tensors) { tensors.erase("cls.predictions.bias"); });
  EXPECT_THAT([&] { (void)BertForMaskedLM::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(HasSubstr("cls.predictions.bias")));
}

TEST_F(DamagedModel, APooledHeadNeedsThePooler) {
  copy("pretraining", [](TensorMap& tensors) {
    tensors.erase("bert.pooler.dense.weight");
    tensors.erase("bert.pooler.dense.bias");
  });
  EXPECT_THAT([&] { (void)BertForNextSentencePrediction::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(HasSubstr("pooler")));
  EXPECT_THAT([&] { (void)BertForPreTraining::from_pretrained(directory()); },
              ThrowsMessage<ModelError>(HasSubstr("pooler")));
  EXPECT_FALSE(BertModel::from_pretrained(directory()).has_pooler());
}

TEST_F(DamagedModel, FurtherTensorsAreNoMistake) {
  // Old checkpoints store position_ids; fine-tuned ones keep heads that nobody asks for.
  copy("pretraining", [](TensorMap& tensors) {
    tensors["bert.embeddings.position_ids"] = Tensor::zeros(DType::i64, {1, 24});
    tensors["classifier.other"] = Tensor::zeros(DType::f32, {3});
  });
  const auto golden = Golden::named("pretraining");
  EXPECT_LE(
      max_abs_difference(BertModel::from_pretrained(directory())(golden.batch()).last_hidden_state,
                         golden.hidden_state(2)),
      2e-5);
}

TEST_F(DamagedModel, TensorsAtOddAddressesAreRead) {
  // Valid, though no common writer makes it: a header whose length leaves every tensor unaligned.
  const auto source = golden_directory("pretraining");
  const auto checkpoint = Checkpoint::open(source);
  nlohmann::json header;
  std::string data;
  for (const auto& name : checkpoint.names()) {
    const auto tensor = checkpoint.tensor(name);
    const auto bytes = tensor.bytes();
    header[name] = {{"dtype", "F32"},
                    {"shape", tensor.shape()},
                    {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  auto text = header.dump();
  while (text.size() % 4 != 1) text += ' ';
  const std::uint64_t length = text.size();
  std::ofstream(directory() / "model.safetensors", std::ios::binary)
      .write(reinterpret_cast<const char*>(&length), sizeof length)
      .write(text.data(), static_cast<std::streamsize>(text.size()))
      .write(data.data(), static_cast<std::streamsize>(data.size()));
  fs::copy(source / "config.json", directory());

  const auto golden = Golden::named("pretraining");
  const auto positions = golden.ints("positions");
  for (const auto precision : {Precision::f32, Precision::bf16}) {
    if (!testing::computes(precision)) continue;
    const auto out = BertForPreTraining::from_pretrained(directory(), {.precision = precision})(
        golden.batch(), positions);
    EXPECT_LE(max_abs_difference(out.prediction_logits, golden.tensor("prediction_logits")),
              precision == Precision::f32 ? 5e-5 : 0.1);
  }
}

TEST_F(DamagedModel, ADirectoryThatIsNotThere) {
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory() / "nowhere"); },
              ThrowsMessage<IoError>(HasSubstr("nowhere")));
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },  // empty
              ThrowsMessage<IoError>(HasSubstr("config.json")));
  copy("bare_odd");
  fs::remove(directory() / "model.safetensors");
  EXPECT_THAT([&] { (void)BertModel::from_pretrained(directory()); },
              ThrowsMessage<IoError>(HasSubstr("model.safetensors")));
}

TEST_F(DamagedModel, AWeightThatIsNoNumberIsNamed) {
  // Where it is used: batches without the word whose vector is spoilt are as they were.
  const std::string name = "embeddings.word_embeddings.weight";
  constexpr std::size_t width = 24;
  copy("bare_odd", [&](TensorMap& tensors) {
    auto values = elements<float>(tensors[name]);
    for (std::size_t i = 7 * width; i < 8 * width; ++i) {
      values[i] = std::numeric_limits<float>::quiet_NaN();
    }
    tensors[name] = Tensor::from<float>({53, 24}, values);
  });
  const auto model = BertModel::from_pretrained(directory());
  Batch batch;
  batch.append(std::vector<std::int32_t>{2, 5, 9});
  for (const float value : elements<float>(model(batch).last_hidden_state)) {
    ASSERT_TRUE(std::isfinite(value));
  }
  batch.append(std::vector<std::int32_t>{2, 7, 9});
  EXPECT_THAT([&] { (void)model(batch); },
              ThrowsMessage<ModelError>(AllOf(HasSubstr(name), HasSubstr("NaN"))));
}

class BadBatch : public ::testing::Test {
 protected:
  // Throws what the model throws for the golden batch after `damage`.
  void run(const std::function<void(Batch&)>& damage) const {
    auto batch = Golden::named("pretraining").batch();  // lengths 1, 24, 2, 7, 17, 16
    damage(batch);
    (void)model_(batch, {.output_hidden_states = true, .output_attentions = true});
  }

 private:
  BertModel model_ = BertModel::from_pretrained(golden_directory("pretraining"));
};

TEST_F(BadBatch, IdsOutsideTheVocabulary) {
  for (const std::int32_t id : {-1, 61, 30522, std::numeric_limits<std::int32_t>::max(),
                                std::numeric_limits<std::int32_t>::min()}) {
    EXPECT_THAT(
        [&] { run([&](Batch& batch) { batch.input_ids[13] = id; }); },
        ThrowsMessage<ArgumentError>(AllOf(HasSubstr(std::to_string(id)), HasSubstr("61"))));
  }
  EXPECT_NO_THROW(run([](Batch& batch) { batch.input_ids[13] = 60; }));
}

TEST_F(BadBatch, TokenTypesTheModelDoesNotHave) {
  for (const std::int32_t type : {-1, 2, 1000000}) {
    EXPECT_THAT([&] { run([&](Batch& batch) { batch.token_type_ids[66] = type; }); },
                ThrowsMessage<ArgumentError>(HasSubstr(std::to_string(type))));
  }
}

TEST_F(BadBatch, PositionsPastTheModel) {
  for (const std::int32_t position : {-1, 24, 512, std::numeric_limits<std::int32_t>::max()}) {
    EXPECT_THAT(
        [&] { run([&](Batch& batch) { batch.position_ids[0] = position; }); },
        ThrowsMessage<ArgumentError>(AllOf(HasSubstr(std::to_string(position)), HasSubstr("24"))));
  }
}

TEST_F(BadBatch, ATextLongerThanTheModel) {
  const auto model = BertModel::from_pretrained(golden_directory("pretraining"));
  Batch batch;
  batch.append(std::vector<std::int32_t>(25, 5));
  EXPECT_THAT([&] { (void)model(batch); }, ThrowsMessage<ArgumentError>(HasSubstr("24")));
}

TEST_F(BadBatch, SequenceBoundariesThatAreNone) {
  const std::vector<std::vector<std::int32_t>> malformed = {
      {},               // not even a beginning
      {1, 67},          // does not begin at 0
      {0, 25, 1, 67},   // decreases
      {0, 1, 66},       // ends before the last token
      {0, 1, 68},       // ends after it
      {0, 1, 1, 67},    // an empty sequence, which has no first token to pool
      {0, -5, 67},      // negative
      {0},              // no sequences, but tokens
      {0, 2147483647},  // far past the end
  };
  for (const auto& boundaries : malformed) {
    SCOPED_TRACE(::testing::PrintToString(boundaries));
    EXPECT_THROW(run([&](Batch& batch) { batch.cu_seqlens = boundaries; }), ArgumentError);
  }
}

TEST_F(BadBatch, VectorsOfUnequalLength) {
  EXPECT_THROW(run([](Batch& batch) { batch.input_ids.pop_back(); }), ArgumentError);
  EXPECT_THROW(run([](Batch& batch) { batch.token_type_ids.pop_back(); }), ArgumentError);
  EXPECT_THROW(run([](Batch& batch) { batch.token_type_ids.clear(); }), ArgumentError);
  EXPECT_THROW(run([](Batch& batch) { batch.position_ids.pop_back(); }), ArgumentError);
  EXPECT_THROW(run([](Batch& batch) { batch.position_ids.push_back(0); }), ArgumentError);
}

TEST_F(BadBatch, AModelThatRefusedStillWorks) {
  EXPECT_THROW(run([](Batch& batch) { batch.input_ids[13] = 61; }), ArgumentError);
  EXPECT_NO_THROW(run([](Batch&) {}));
}

TEST(EmptyBatch, GivesNoRows) {
  const auto model = BertModel::from_pretrained(golden_directory("pretraining"));
  const auto out = model(Batch{}, {.output_hidden_states = true, .output_attentions = true});
  EXPECT_EQ(out.last_hidden_state.shape(), (Shape{0, 32}));
  EXPECT_EQ(out.pooler_output.shape(), (Shape{0, 32}));
  EXPECT_EQ(out.hidden_states.size(), 3);
  EXPECT_EQ(out.attentions.size(), 2);
}

TEST(PrecisionName, KnowsFourAndRefusesTheRest) {
  EXPECT_EQ(precision_from("f32"), Precision::f32);
  EXPECT_EQ(precision_from("bf16"), Precision::bf16);
  EXPECT_EQ(precision_from("int8"), Precision::int8);
  EXPECT_EQ(precision_from("auto"), Precision::best);
  for (const auto* name : {"", "fp32", "BF16", "int9"}) {
    EXPECT_THAT([&] { (void)precision_from(name); }, ThrowsMessage<ArgumentError>(HasSubstr(name)));
  }
}

}  // namespace
}  // namespace cloze::testing
