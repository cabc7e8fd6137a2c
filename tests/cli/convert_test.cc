// cloze convert and cloze export, as a user runs them.
#include <string>

#include "cli/run_command.h"
#include "cloze/checkpoint.h"

namespace cloze::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string model(std::string_view name) { return golden_model(name).string(); }

nlohmann::json parsed(const Finished& finished) {
  expect_success(finished);
  return nlohmann::json::parse(finished.out);
}

TEST(Convert, MakesAHuggingFaceDirectoryOfAGoogleRelease) {
  const TempDirectory folder;
  const auto target = (folder / "bert").string();
  const auto run = cloze_command({"convert", model("tensorflow/release"), target});
  expect_success(run);
  EXPECT_THAT(run.out, AllOf(HasSubstr(target + ": BertForPreTraining"), HasSubstr("tokenizer")));
  EXPECT_TRUE(std::filesystem::exists(folder / "bert/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(folder / "bert/tokenizer.json"));
  EXPECT_THAT(read_file(folder / "bert/config.json"), HasSubstr("gelu_new"));
  // The same answers from both.
  const auto ask = [&](const std::string& directory) {
    const auto answer = cloze_command({"fill-mask", "--model", directory, "a [MASK]", "--json"});
    expect_success(answer);
    return answer.out;
  };
  EXPECT_EQ(ask(target), ask(model("tensorflow/release")));
}

TEST(Convert, TellsAsJsonWhatItDid) {
  const TempDirectory folder;
  const auto target = (folder / "bf16").string();
  const auto report =
      parsed(cloze_command({"convert", model("pretraining"), target, "--dtype", "bf16", "--json"}));
  EXPECT_EQ(report.at("output"), target);
  EXPECT_EQ(report.at("architecture"), "BertForPreTraining");
  EXPECT_EQ(report.at("tokenizer"), true);
  EXPECT_THAT(report.at("left_out"), SizeIs(0));
  const auto info = parsed(cloze_command({"info", "--model", target, "--json"}));
  EXPECT_THAT(info.dump(), HasSubstr("bf16"));
  EXPECT_EQ(report.at("bytes").get<std::int64_t>() * 2,
            parsed(cloze_command({"convert", model("pretraining"), (folder / "f32").string(),
                                  "--dtype", "f32", "--json"}))
                .at("bytes")
                .get<std::int64_t>());
}

TEST(Convert, SaysWhatItLeavesOut) {
  const TempDirectory folder;
  const auto source = folder / "source";
  std::filesystem::copy(golden_model("pretraining"), source);
  const auto checkpoint = Checkpoint::open(source);
  TensorMap tensors;
  for (const auto& name : checkpoint.names()) tensors.emplace(name, checkpoint.tensor(name));
  tensors.emplace("my_own.weight", Tensor::zeros(DType::f32, {2}));
  save_checkpoint(source, tensors);
  const auto run = cloze_command({"convert", source.string(), (folder / "target").string()});
  expect_success(run);
  EXPECT_THAT(run.out,
              HasSubstr("left out, which BertForPreTraining does not have: my_own.weight\n"));
}

TEST(Convert, MistakesAreToldApart) {
  const TempDirectory folder;
  const auto target = (folder / "out").string();
  expect_failure(cloze_command({"convert", model("bare_odd")}), 2, {"DST"});
  expect_failure(cloze_command({"convert", model("bare_odd"), target, "--dtype", "f64"}), 2,
                 {"--dtype f64", "bf16"});
  expect_failure(cloze_command({"convert", model("bare_odd"), model("bare_odd")}), 2,
                 {"is what is converted"});
  std::filesystem::create_directory(folder / "roberta");
  write_file(folder / "roberta/config.json", R"({"model_type": "roberta"})");
  expect_failure(cloze_command({"convert", (folder / "roberta").string(), target}), 1,
                 {"roberta", "BERT, DistilBERT, ELECTRA"});
  write_file(folder / "file", "");
  expect_failure(cloze_command({"convert", model("bare_odd"), (folder / "file").string()}), 1,
                 {"file", "directory"});
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST(Export, WritesAFileAndTellsItsInputsAndOutputs) {
  const TempDirectory folder;
  const auto path = (folder / "model.onnx").string();
  const auto run = cloze_command({"export", model("question_legacy_names"), path});
  expect_success(run);
  EXPECT_THAT(run.out, AllOf(HasSubstr(path + ": question-answering"),
                             HasSubstr("inputs   input_ids, attention_mask, token_type_ids\n"),
                             HasSubstr("outputs  start_logits, end_logits\n")));
  const auto report = parsed(cloze_command(
      {"export", model("pretraining"), path, "--json", "--task", "fill-mask", "--external-data"}));
  EXPECT_EQ(report.at("task"), "fill-mask");
  EXPECT_THAT(report.at("outputs").get<std::vector<std::string>>(), ElementsAre("logits"));
  EXPECT_EQ(report.at("data_file"), path + ".data");
  EXPECT_EQ(report.at("bytes").get<std::uintmax_t>(),
            std::filesystem::file_size(path) + std::filesystem::file_size(path + ".data"));
}

TEST(Export, MistakesAreToldApart) {
  const TempDirectory folder;
  const auto path = (folder / "model.onnx").string();
  const auto bare = model("bare_odd");
  expect_failure(cloze_command({"export", bare}), 2, {"OUT"});
  expect_failure(cloze_command({"export", bare, path, "--task", "translation"}), 2,
                 {"translation", "feature-extraction, sentence-similarity, fill-mask"});
  expect_failure(cloze_command({"export", bare, path, "--task", "fill-mask"}), 1,
                 {bare, "no masked language model head", "feature-extraction"});
  expect_failure(cloze_command({"export", bare, path, "--task", "sentence-similarity"}), 1,
                 {bare, "modules.json"});
  expect_failure(cloze_command({"export", bare, (folder / "no/where.onnx").string()}), 1,
                 {"cannot write", "no/where.onnx"});
  expect_failure(cloze_command({"export", (folder / "none").string(), path}), 1, {"none"});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(BenchLoad, MeasuresEveryStage) {
  const auto report = parsed(
      cloze_command({"bench", "load", "--model", model("bare_odd"), "--rounds", "2", "--json"}));
  for (const auto* name : {"open_ms", "load_ms", "first_ms", "copy_ms"}) {
    EXPECT_GT(report.at(name).get<double>(), 0.0) << name;
  }
  EXPECT_EQ(report.at("rounds"), 2);
  EXPECT_GT(report.at("bytes").get<std::int64_t>(), 40'000);
}

}  // namespace
}  // namespace cloze::testing
