// The ONNX file is read back, checked as a graph, and run by a plain interpreter
// (reference/onnx.h): it must compute what transformers computed, and what Cloze does.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "cloze/export.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"
#include "reference/onnx.h"
#include "sentence/dense.h"
#include "sentence/pooling.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Golden;
using testing::golden_directory;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::max_abs_difference;
using testing::OnnxArray;
using testing::OnnxModel;
using testing::read_file;
using testing::TempDirectory;

namespace fs = std::filesystem;
using Inputs = std::map<std::string, OnnxArray>;

constexpr double kTolerance = 2e-5;

/// Exports and reads back; what every file must be is checked here.
OnnxModel exported(const fs::path& model, const TempDirectory& folder,
                   const ExportOptions& options = {}) {
  const auto path = folder.path() / "model.onnx";
  const auto report = export_onnx(model, path, options);
  const OnnxModel onnx(path);
  EXPECT_THAT(onnx.unused(), IsEmpty());
  EXPECT_EQ(onnx.proto().ir_version(), 8);
  EXPECT_EQ(onnx.proto().opset_import(0).version(), 17);
  EXPECT_EQ(report.nodes, onnx.graph().node_size());
  auto bytes = static_cast<std::int64_t>(fs::file_size(path));
  if (!report.data_file.empty())
    bytes += static_cast<std::int64_t>(fs::file_size(report.data_file));
  EXPECT_EQ(report.bytes, bytes);
  return onnx;
}

std::int64_t longest(const Batch& batch) {
  std::int64_t longest = 0;
  for (std::int64_t i = 0; i < batch.sequences(); ++i) longest = std::max(longest, batch.length(i));
  return longest;
}

/// The packed batch as a padded rectangle, with padding that would show if it were read: token 3.
/// With `choices`, [questions, choices, L].
Inputs padded(const Batch& batch, bool token_types, std::int64_t choices = 0) {
  const auto length = longest(batch);  // as many as the model has positions
  Shape shape{batch.sequences(), length};
  if (choices > 0) shape = {batch.sequences() / choices, choices, length};
  OnnxArray ids{shape, {}}, mask{shape, {}}, types{shape, {}};
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const auto begin = batch.cu_seqlens[static_cast<std::size_t>(s)];
    for (std::int64_t i = 0; i < length; ++i) {
      const bool token = i < batch.length(s);
      const auto at = static_cast<std::size_t>(begin + i);
      if (token) {
        EXPECT_EQ(batch.position_ids.at(at), i);
      }
      ids.values.push_back(token ? batch.input_ids[at] : 3);
      mask.values.push_back(token ? 1 : 0);
      types.values.push_back(token ? batch.token_type_ids[at] : 0);
    }
  }
  Inputs inputs{{"input_ids", ids}, {"attention_mask", mask}};
  if (token_types) inputs["token_type_ids"] = types;
  return inputs;
}

/// [B, L, ...] without its padding: [tokens, ...].
Tensor packed(const OnnxArray& array, const Batch& batch) {
  const auto length = array.shape.at(1);
  Shape shape(array.shape.begin() + 1, array.shape.end());
  shape[0] = batch.total_tokens();
  const auto width = static_cast<std::int64_t>(array.values.size()) / array.shape[0] / length;
  std::vector<float> values;
  for (std::int64_t s = 0; s < batch.sequences(); ++s) {
    const auto begin = array.values.begin() + s * length * width;
    values.insert(values.end(), begin, begin + batch.length(s) * width);
  }
  return Tensor::from<float>(shape, values);
}

Tensor whole(const OnnxArray& array) {
  const std::vector<float> values(array.values.begin(), array.values.end());
  return Tensor::from<float>(array.shape, values);
}

Tensor rows_at(const Tensor& rows, const std::vector<std::int32_t>& positions) {
  const auto width = static_cast<std::size_t>(rows.dim(1));
  const auto source = rows.values<float>();
  std::vector<float> values;
  for (const auto position : positions) {
    const auto row = source.subspan(static_cast<std::size_t>(position) * width, width);
    values.insert(values.end(), row.begin(), row.end());
  }
  return Tensor::from<float>({static_cast<std::int64_t>(positions.size()), rows.dim(1)}, values);
}

Tensor last_hidden_state(const Golden& golden) {
  std::size_t layers = 0;
  while (golden.contains("hidden_states." + std::to_string(layers + 1))) ++layers;
  return golden.hidden_state(layers).to(DType::f32);
}

std::map<std::string, OnnxArray> run(const OnnxModel& model, const Golden& golden,
                                     std::int64_t choices = 0) {
  return model.run(padded(golden.batch(), model.graph().input_size() == 3, choices));
}

TEST(ExportOnnx, TheEncoderWithAndWithoutPooler) {
  for (const auto* name : {"bare_odd", "sharded", "bare_no_pooler"}) {
    SCOPED_TRACE(name);
    const TempDirectory folder;
    const auto golden = Golden::named(name);
    const auto outputs = run(exported(golden_directory(name), folder), golden);
    EXPECT_LE(max_abs_difference(packed(outputs.at("last_hidden_state"), golden.batch()),
                                 last_hidden_state(golden)),
              kTolerance);
    ASSERT_EQ(outputs.contains("pooler_output"), golden.contains("pooler_output"));
    if (!golden.contains("pooler_output")) continue;
    EXPECT_LE(
        max_abs_difference(whole(outputs.at("pooler_output")), golden.tensor("pooler_output")),
        kTolerance);
  }
}

TEST(ExportOnnx, MaskedTokensWhateverTheDecoder) {
  for (const auto* name :
       {"masked_lm_untied", "masked_lm_untied_one_bias", "masked_lm_tied_but_different",
        "masked_lm_tied_stored_bf16", "distilbert/masked_lm", "electra/generator",
        "electra/generator_untied", "electra/generator_bin"}) {
    SCOPED_TRACE(name);
    const TempDirectory folder;
    const auto golden = Golden::named(name);
    const auto model = exported(golden_directory(name), folder);
    const auto logits = packed(run(model, golden).at("logits"), golden.batch());
    EXPECT_LE(max_abs_difference(rows_at(logits, golden.ints("positions")),
                                 golden.tensor("prediction_logits")),
              kTolerance);
  }
}

TEST(ExportOnnx, ATiedDecoderIsInTheFileOnce) {
  const TempDirectory folder;
  (void)exported(golden_directory("pretraining"), folder);
  const auto weights = Checkpoint::open(golden_directory("pretraining"));
  std::int64_t bytes = 0;
  for (const auto& name : weights.names()) {
    const auto tensor = weights.tensor(name);
    bytes += static_cast<std::int64_t>(tensor.bytes().size());
  }
  const auto size = static_cast<std::int64_t>(fs::file_size(folder.path() / "model.onnx"));
  const auto words = weights.tensor("bert.embeddings.word_embeddings.weight");
  EXPECT_LT(size, bytes + 40'000);  // what the graph itself takes
  EXPECT_GT(size, bytes);
  EXPECT_GT(words.bytes().size(), 0U);
}

TEST(ExportOnnx, BothPretrainingHeads) {
  for (const auto* name : {"pretraining", "pretraining_tanh"}) {
    SCOPED_TRACE(name);
    const TempDirectory folder;
    const auto golden = Golden::named(name);
    const auto outputs = run(exported(golden_directory(name), folder), golden);
    const auto logits = packed(outputs.at("prediction_logits"), golden.batch());
    EXPECT_LE(max_abs_difference(rows_at(logits, golden.ints("positions")),
                                 golden.tensor("prediction_logits")),
              kTolerance);
    EXPECT_LE(max_abs_difference(whole(outputs.at("seq_relationship_logits")),
                                 golden.tensor("seq_relationship_logits")),
              kTolerance);
  }
}

TEST(ExportOnnx, EveryClassifier) {
  for (const auto* name :
       {"sequence_3_labels", "sequence_regression", "token_5_layers", "distilbert/sequence",
        "distilbert/token", "electra/sequence", "electra/sequence_as_wide", "electra/token"}) {
    SCOPED_TRACE(name);
    const TempDirectory folder;
    const auto golden = Golden::named(name);
    const auto logits = run(exported(golden_directory(name), folder), golden).at("logits");
    EXPECT_LE(max_abs_difference(
                  logits.shape.size() == 3 ? packed(logits, golden.batch()) : whole(logits),
                  golden.tensor("logits")),
              kTolerance);
  }
  const TempDirectory folder;
  const auto golden = Golden::named("next_sentence_f16");
  const auto logits = run(exported(golden_directory("next_sentence_f16"), folder), golden);
  EXPECT_LE(
      max_abs_difference(whole(logits.at("logits")), golden.tensor("seq_relationship_logits")),
      kTolerance);
}

TEST(ExportOnnx, AnswersOldNamesAndAGoogleReleaseToo) {
  for (const auto* name : {"question_legacy_names", "distilbert/question", "electra/question"}) {
    SCOPED_TRACE(name);
    const TempDirectory folder;
    const auto golden = Golden::named(name);
    const auto outputs = run(exported(golden_directory(name), folder), golden);
    for (const auto* output : {"start_logits", "end_logits"}) {
      EXPECT_LE(
          max_abs_difference(packed(outputs.at(output), golden.batch()), golden.tensor(output)),
          kTolerance);
    }
  }
  const TempDirectory folder;
  const auto golden = Golden::named("pretraining_tanh");
  const auto outputs = run(exported(golden_directory("tensorflow") / "release", folder), golden);
  EXPECT_LE(max_abs_difference(whole(outputs.at("seq_relationship_logits")),
                               golden.tensor("seq_relationship_logits")),
            kTolerance);
}

TEST(ExportOnnx, ReplacedTokensOfAnElectra) {
  const TempDirectory folder;
  const auto golden = Golden::named("electra/discriminator");
  const auto outputs = run(exported(golden_directory("electra/discriminator"), folder), golden);
  EXPECT_LE(
      max_abs_difference(packed(outputs.at("logits"), golden.batch()), golden.tensor("logits")),
      kTolerance);
}

TEST(ExportOnnx, QuestionsWithTheirChoices) {
  const TempDirectory folder;
  const auto golden = Golden::named("choice");
  const auto expected = golden.tensor("logits");
  const auto outputs = run(exported(golden_directory("choice"), folder), golden, expected.dim(1));
  EXPECT_LE(max_abs_difference(whole(outputs.at("logits")), expected), kTolerance);
}

TEST(ExportOnnx, TheTaskIsWhatTheConfigSaysOrWhatOneAsksFor) {
  const TempDirectory folder;
  const auto path = folder.path() / "model.onnx";
  const auto task = [&](const char* name, const ExportOptions& options = {}) {
    return export_onnx(golden_directory(name), path, options);
  };
  EXPECT_EQ(task("bare_odd").task, "feature-extraction");
  EXPECT_EQ(task("pretraining").task, "pretraining");
  EXPECT_EQ(task("masked_lm_untied").task, "fill-mask");
  EXPECT_EQ(task("tensorflow/release").task, "pretraining");  // of the tensors: no config.json
  EXPECT_EQ(task("distilbert/token").task, "token-classification");
  EXPECT_THAT(task("distilbert/token").inputs, ElementsAre("input_ids", "attention_mask"));
  const auto encoder = task("pretraining", {.task = "feature-extraction"});
  EXPECT_THAT(encoder.inputs, ElementsAre("input_ids", "attention_mask", "token_type_ids"));
  EXPECT_THAT(encoder.outputs, ElementsAre("last_hidden_state", "pooler_output"));
}

TEST(ExportOnnx, ExternalDataHasTheSameNumbers) {
  const TempDirectory inside, outside, large;
  const auto golden = Golden::named("bare_odd");
  const auto model = golden_directory("bare_odd");
  const auto one = exported(model, inside);
  const auto two = exported(model, outside, {.external_data = true});
  const auto limit = fs::file_size(inside.path() / "model.onnx");
  const auto three =
      exported(model, large, {.max_file_bytes = static_cast<std::int64_t>(limit) - 1});
  EXPECT_FALSE(fs::exists(inside.path() / "model.onnx.data"));
  EXPECT_TRUE(fs::exists(outside.path() / "model.onnx.data"));
  EXPECT_TRUE(fs::exists(large.path() / "model.onnx.data"));
  EXPECT_LT(fs::file_size(outside.path() / "model.onnx"), limit / 2);
  int moved = 0;
  for (const auto& tensor : two.graph().initializer()) {
    EXPECT_EQ(two.constant(tensor.name()).values, one.constant(tensor.name()).values);
    EXPECT_EQ(three.constant(tensor.name()).values, one.constant(tensor.name()).values);
    if (tensor.external_data_size() == 0) continue;
    EXPECT_FALSE(tensor.has_raw_data());
    EXPECT_EQ(tensor.external_data(0).value(), "model.onnx.data");
    EXPECT_EQ(std::stoll(tensor.external_data(1).value()) % 4096, 0);
    ++moved;
  }
  EXPECT_GT(moved, 3);
  const TempDirectory exact;
  const auto fits = exported(model, exact, {.max_file_bytes = static_cast<std::int64_t>(limit)});
  EXPECT_FALSE(fs::exists(exact.path() / "model.onnx.data"));
  EXPECT_EQ(read_file(exact.path() / "model.onnx"), read_file(inside.path() / "model.onnx"));
}

TEST(ExportOnnx, WeightsHaveTheCheckpointsBits) {
  const TempDirectory folder;
  const auto model = exported(golden_directory("bare_odd"), folder);
  const auto checkpoint = Checkpoint::open(golden_directory("bare_odd"));
  std::size_t compared = 0;
  for (const auto& tensor : model.graph().initializer()) {
    const auto& array = model.constant(tensor.name());
    auto name = tensor.name();
    const bool turned = name.ends_with(".transposed");
    if (turned) name.resize(name.rfind('.'));
    if (name.starts_with("bert.")) name.erase(0, 5);
    if (!checkpoint.contains(name)) continue;
    const auto values = testing::elements<float>(checkpoint.tensor(name));
    const auto shape = checkpoint.info(name).shape;
    ASSERT_EQ(array.values.size(), values.size()) << name;
    EXPECT_EQ(array.shape, turned ? Shape({shape.at(1), shape.at(0)}) : shape) << name;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto columns = static_cast<std::size_t>(shape.back());
      const auto rows = values.size() / columns;
      const auto at = turned ? i % columns * rows + i / columns : i;
      ASSERT_EQ(array.values[at], values[i]) << name;
    }
    ++compared;
  }
  EXPECT_EQ(compared, checkpoint.names().size());
}

/// A sentence-transformers directory around bare_odd (hidden 24).
void write_onnx_sentence_model(const TempDirectory& folder, const std::string& pooling,
                               const std::string& activation) {
  const auto& root = folder.path();
  fs::copy(golden_directory("bare_odd"), root / "0_Transformer");
  folder.write("modules.json", R"([
    {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  fs::create_directory(root / "1_Pooling");
  folder.write("1_Pooling/config.json", "{\"pooling_mode_" + pooling + "\": true}");
  fs::create_directory(root / "2_Dense");
  folder.write("2_Dense/config.json",
               R"({"in_features": 24, "out_features": 5, "activation_function": "torch.nn.)" +
                   activation + "\"}");
  std::vector<float> numbers(24 * 5);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(static_cast<double>(i * 37 % 23) - 11.0) / 12.0F;
  }
  save_safetensors(root / "2_Dense/model.safetensors",
                   {{"linear.weight", Tensor::from<float>({5, 24}, numbers)},
                    {"linear.bias", Tensor::from<float>({5}, std::span(numbers).first(5))}});
}

TEST(ExportOnnx, SentencesAsTheirModulesMakeThem) {
  const auto golden = Golden::named("bare_odd");
  const std::pair<const char*, const char*> modules[] = {{"cls_token", "Identity"},
                                                         {"mean_tokens", "Tanh"},
                                                         {"max_tokens", "ReLU"},
                                                         {"mean_sqrt_len_tokens", "GELU"},
                                                         {"weightedmean_tokens", "Identity"},
                                                         {"lasttoken", "SiLU"}};
  for (const auto& [pooling, activation] : modules) {
    SCOPED_TRACE(pooling);
    const TempDirectory source, folder;
    write_onnx_sentence_model(source, pooling, activation);
    const auto model = exported(source.path(), folder);
    const auto outputs = run(model, golden);
    std::string name(pooling);
    if (const auto end = name.rfind("_token"); end != std::string::npos) name.resize(end);
    auto expected = pool(last_hidden_state(golden), golden.batch(), pooling_from(name));
    expected = Dense::from_pretrained(source.path() / "2_Dense")(expected);
    normalize_rows(expected);
    EXPECT_LE(max_abs_difference(whole(outputs.at("sentence_embedding")), expected), kTolerance);
    EXPECT_LE(max_abs_difference(packed(outputs.at("token_embeddings"), golden.batch()),
                                 last_hidden_state(golden)),
              kTolerance);
  }
}

template <class Exception>
void expect_refused(const fs::path& model, const fs::path& path, const ExportOptions& options,
                    const std::vector<std::string>& parts) {
  try {
    (void)export_onnx(model, path, options);
    ADD_FAILURE() << "was exported";
  } catch (const Exception& error) {
    for (const auto& part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(ExportOnnx, RefusesHeadsThatAreNotThere) {
  const TempDirectory folder;
  const auto path = folder.path() / "model.onnx";
  const auto bare = golden_directory("bare_odd");
  for (const auto& task : onnx_tasks()) {
    if (task == "feature-extraction") continue;
    expect_refused<ModelError>(bare, path, {.task = task},
                               {"bare_odd has no ", "feature-extraction"});
  }
  expect_refused<ModelError>(golden_directory("bare_no_pooler"), path, {.task = "pretraining"},
                             {"masked language model head"});
  expect_refused<ModelError>(golden_directory("token_5_layers"), path,
                             {.task = "text-classification"}, {"no pooler", "text classification"});
  expect_refused<ModelError>(golden_directory("distilbert/masked_lm"), path,
                             {.task = "next-sentence-prediction"}, {"next sentence head"});
  expect_refused<ModelError>(golden_directory("sequence_3_labels"), path,
                             {.task = "multiple-choice"}, {"has 3 rows"});
  expect_refused<ArgumentError>(bare, path, {.task = "translation"}, {"translation", "fill-mask"});
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(ExportOnnx, LeavesNothingHalfWritten) {
  const TempDirectory source, folder;
  const auto path = folder.path() / "model.onnx";
  expect_refused<IoError>(golden_directory("bare_odd"), folder.path() / "none" / "model.onnx", {},
                          {"cannot write", "none/model.onnx"});
  // A layer that the checkpoint does not have is found only once the weights are written.
  for (const auto& entry : fs::directory_iterator(golden_directory("bare_odd"))) {
    fs::copy(entry.path(), source.path());
  }
  auto config = BertConfig::from_pretrained(source.path());
  config.num_hidden_layers += 1;
  config.save_pretrained(source.path());
  folder.write("model.onnx", "as before");
  for (const bool external : {false, true}) {
    expect_refused<ModelError>(source.path(), path, {.external_data = external},
                               {"has no tensor bert.encoder.layer."});
    EXPECT_EQ(read_file(path), "as before");
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(ExportOnnx, TellsOfItsProgress) {
  const TempDirectory folder;
  std::int64_t announced = 0, written = 0;
  const auto tell = [&](const Progress& progress) {
    EXPECT_EQ(progress.stage, "exporting");
    announced = progress.total;
    EXPECT_EQ(progress.done, ++written);
    return true;
  };
  const auto report =
      export_onnx(golden_directory("bare_odd"), folder.path() / "model.onnx", {}, tell);
  EXPECT_GT(announced, 10);
  EXPECT_EQ(written, announced);
  EXPECT_EQ(report.weights, announced);
}

}  // namespace
}  // namespace cloze
