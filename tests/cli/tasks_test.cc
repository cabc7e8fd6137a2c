// The commands that answer with fine-tuned models, held against transformers' pipelines
// (make_task_goldens.py).
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/run_command.h"
#include "places.h"

namespace cloze::testing {
namespace {

using nlohmann::json;

const json& task_goldens() {
  static const auto all = json::parse(
      read_file(std::filesystem::path(kSourceDir) / "tests" / "cli" / "task_goldens.json"));
  return all;
}

constexpr double tolerance = 2e-5;

/// token_5_layers with other labels.
std::string token_model(const TempDirectory& folder, const json& labels) {
  const auto copy = folder / "tagger";
  std::filesystem::copy(golden_model("token_5_layers"), copy);
  auto config = json::parse(read_file(copy / "config.json"));
  config.erase("label2id");
  config["id2label"] = json::object();
  for (std::size_t i = 0; i < labels.size(); ++i) config["id2label"][std::to_string(i)] = labels[i];
  write_file(copy / "config.json", config.dump());
  return copy;
}

TEST(ClassifyCommand, EqualsThePipeline) {
  for (const auto& golden : task_goldens()["classify"]) {
    const auto run = cloze_command({"classify", "--model", golden_model("sequence_3_labels"),
                                    "--all", "--json", golden["text"].get<std::string>()});
    expect_success(run);
    const auto labels = json_lines(run.out).at(0)["labels"];
    ASSERT_EQ(labels.size(), golden["labels"].size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(labels[i]["label"], golden["labels"][i]["label"]);
      EXPECT_NEAR(labels[i]["score"].get<double>(), golden["labels"][i]["score"].get<double>(),
                  tolerance);
    }
  }
}

TEST(TagCommand, EqualsThePipeline) {
  const TempDirectory folder;
  const auto model = token_model(folder, task_goldens()["tag"]["labels"]);
  for (const auto& golden : task_goldens()["tag"]["cases"]) {
    SCOPED_TRACE(golden.dump());
    const auto run = cloze_command({"tag", "--model", model, "--json", "--aggregation",
                                    golden["aggregation"].get<std::string>(),
                                    golden["text"].get<std::string>()});
    expect_success(run);
    const auto entities = json_lines(run.out).at(0)["entities"];
    ASSERT_EQ(entities.size(), golden["entities"].size()) << entities.dump();
    for (std::size_t i = 0; i < entities.size(); ++i) {
      const auto& found = entities[i];
      const auto& expected = golden["entities"][i];
      EXPECT_EQ(found["label"],
                expected.contains("entity") ? expected["entity"] : expected["entity_group"]);
      EXPECT_NEAR(found["score"].get<double>(), expected["score"].get<double>(), tolerance);
      for (const auto* key : {"word", "start", "end"}) EXPECT_EQ(found[key], expected[key]) << key;
      if (expected.contains("index")) {
        EXPECT_EQ(found["index"], expected["index"]);
      }
    }
  }
}

TEST(AnswerCommand, EqualsThePipeline) {
  for (const auto& golden : task_goldens()["answer"]) {
    SCOPED_TRACE(golden.dump());
    std::vector<std::string> arguments{"answer",
                                       "--model",
                                       golden_model("question_legacy_names"),
                                       "--json",
                                       "--top-k",
                                       "4",
                                       "--max-answer-length",
                                       "5",
                                       "--max-length",
                                       "20",
                                       "--stride",
                                       "6",
                                       "--question",
                                       golden["question"].get<std::string>(),
                                       golden["context"].get<std::string>()};
    if (golden["version_2"] == true) arguments.emplace_back("--version-2");
    const auto run = cloze_command(arguments);
    expect_success(run);
    const auto answers = json_lines(run.out).at(0)["answers"];
    ASSERT_EQ(answers.size(), golden["answers"].size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      EXPECT_NEAR(answers[i]["score"].get<double>(), golden["answers"][i]["score"].get<double>(),
                  tolerance);
      for (const auto* key : {"answer", "start", "end"}) {
        EXPECT_EQ(answers[i][key], golden["answers"][i][key]);
      }
    }
  }
}

TEST(TagCommand, WordsComeOutAsColumns) {
  const TempDirectory folder;
  const auto model = token_model(folder, task_goldens()["tag"]["labels"]);
  const auto run = cloze_command({"tag", "--model", model, "--words", "the dogs", "a"});
  expect_success(run);
  EXPECT_TRUE(run.out.starts_with("the\t")) << run.out;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 5);
}

TEST(TaskCommands, RefuseModelsOfOtherTasks) {
  for (const auto* command : {"classify", "tag", "answer", "choose"}) {
    std::vector<std::string> arguments{command, "--model", golden_model("bare_odd"), "a\tb\tc"};
    if (std::string(command) == "classify") arguments.emplace_back("--single");
    if (std::string(command) == "answer") arguments.back() = "a\tb";
    const auto run = cloze_command(arguments);
    EXPECT_EQ(run.code, 1) << command << run.err;
    EXPECT_TRUE(run.err.starts_with("error: ")) << run.err;
  }
  const TempDirectory folder;
  write_file(folder / "d.tsv", "a\t1\nb\t0\n");
  expect_failure(cloze_command({"evaluate", "--model", golden_model("bare_odd"), "--data",
                                (folder / "d.tsv").string()}),
                 1, {"not fine-tuned", "cloze finetune"});
}

TEST(EvaluateCommand, TableJsonAndPredictions) {
  const TempDirectory folder;
  const auto data = (folder / "d.tsv").string();
  write_file(data, "the dog\tLABEL_0\na cat\tLABEL_2\n");
  const auto predictions = (folder / "p.jsonl").string();
  const auto model = golden_model("sequence_3_labels").string();
  const auto run = cloze_command(
      {"evaluate", "--model", model, "--data", data, "--json", "--predictions", predictions});
  expect_success(run);
  const auto report = json_lines(run.out).at(0);
  EXPECT_EQ(report["task"], "text-classification");
  EXPECT_EQ(report["examples"], 2);
  EXPECT_EQ(json_lines(read_file(predictions)).size(), 2U);
  write_file(data, "the dog\tLABEL_9\n");
  expect_failure(cloze_command({"evaluate", "--model", model, "--data", data}), 1,
                 {"line 1 of " + data, "LABEL_9", "LABEL_0, LABEL_1, LABEL_2"});
}

/// sequence_3_labels as a model of natural language inference.
std::string inference_model(const TempDirectory& folder) {
  const auto copy = folder / "nli";
  std::filesystem::copy(golden_model("sequence_3_labels"), copy);
  auto config = json::parse(read_file(copy / "config.json"));
  config.erase("label2id");
  config["id2label"] = {{"0", "contradiction"}, {"1", "neutral"}, {"2", "entailment"}};
  write_file(copy / "config.json", config.dump());
  return copy;
}

TEST(ZeroShotCommand, LabelsBestFirst) {
  const TempDirectory folder;
  const auto model = inference_model(folder);
  const auto run = cloze_command(
      {"zero-shot", "--model", model, "--labels", "dog,x y,dogs", "--json", "the dogs .", "a"});
  expect_success(run);
  const auto lines = json_lines(run.out);
  ASSERT_EQ(lines.size(), 2U);
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 2U);
    const auto scores = line["scores"].get<std::vector<double>>();
    ASSERT_EQ(scores.size(), 3U);
    EXPECT_TRUE(std::is_sorted(scores.rbegin(), scores.rend()));
    EXPECT_NEAR(scores[0] + scores[1] + scores[2], 1, 1e-6);
    auto labels = line["labels"].get<std::vector<std::string>>();
    EXPECT_THAT(labels, ::testing::UnorderedElementsAre("dog", "x y", "dogs"));
  }
  const auto readable = cloze_command({"zero-shot", "--model", model, "--labels", "dog,a",
                                       "--multi-label", "--template", "It is {}", "the dogs ."});
  expect_success(readable);
  EXPECT_TRUE(readable.out.starts_with("the dogs .\n   0.")) << readable.out;
}

TEST(ZeroShotCommand, BadInput) {
  const TempDirectory folder;
  const auto model = inference_model(folder);
  expect_failure(cloze_command({"zero-shot", "--model", model, "a"}), 2, {"--labels"});
  expect_failure(
      cloze_command({"zero-shot", "--model", model, "--labels", "a", "--template", "x", "a"}), 2,
      {"\"x\" has no {}"});
  expect_failure(cloze_command({"zero-shot", "--model", golden_model("sequence_3_labels"),
                                "--labels", "a", "a"}),
                 1, {"entail", "LABEL_0, LABEL_1, LABEL_2"});
  expect_failure(
      cloze_command({"zero-shot", "--model", model, "--labels", "a", "--max-length", "5", "a b c"}),
      1, {"argument 1 has ", "the limit is 5", "--truncate"});
}

TEST(FillMaskCommand, TargetsAreTheOnlyCandidates) {
  const auto run = cloze_command({"fill-mask", "--model", golden_model("masked_lm_untied"),
                                  "--json", "--targets", "a,dogs", "the [MASK]"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(
      run.err,
      "note: the target dogs is not in the vocabulary: its first piece, dog, stands for it\n");
  const auto predictions = json_lines(run.out).at(0)["masks"][0]["predictions"];
  ASSERT_EQ(predictions.size(), 2U);
  EXPECT_NE(predictions[0]["token"], predictions[1]["token"]);
  for (const auto& prediction : predictions) {
    EXPECT_TRUE(prediction["token"] == "a" || prediction["token"] == "dog");
  }
}

}  // namespace
}  // namespace cloze::testing
