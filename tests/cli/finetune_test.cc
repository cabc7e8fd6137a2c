// `cloze finetune` as a user meets it: a run, its interruption, and what is refused.
#include <algorithm>
#include <csignal>

#include "cli/run_command.h"
#include "cloze/checkpoint.h"
#include "places.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string examples(std::size_t count, std::size_t shift) {
  const std::vector<std::string> words{"sea", "ship", "storm", "night", "sail", "wind"};
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const bool good = (i * 7 + shift) % 3 == 0;
    text += good ? "calm" : "wild";
    for (std::size_t word = 0; word < 1 + i % 4; ++word) {
      text += ' ' + words[(i + word) % words.size()];
    }
    text += good ? "\tgood\n" : "\tpoor\n";
  }
  return text;
}

class FinetuneCommand : public ::testing::Test {
 protected:
  FinetuneCommand() {
    write_file(
        path("vocab.txt"),
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncalm\nwild\nsea\nship\nstorm\nnight\nsail\nwind\n");
    write_file(path("train.tsv"), examples(48, 0));
    write_file(path("dev.tsv"), examples(12, 1));
  }

  [[nodiscard]] std::string path(std::string_view name) const { return (folder / name).string(); }

  /// A run from nothing with a task's usual options; `more` comes last.
  [[nodiscard]] std::vector<std::string> arguments(
      const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"finetune",
                                 "--task",
                                 "text-classification",
                                 "--size",
                                 "tiny",
                                 "--vocab",
                                 path("vocab.txt"),
                                 "--train",
                                 path("train.tsv"),
                                 "--dev",
                                 path("dev.tsv"),
                                 "--batch-size",
                                 "8",
                                 "--threads",
                                 "1",
                                 "--dtype",
                                 "f32",
                                 "--learning-rate",
                                 "1e-3",
                                 "--output",
                                 path(output)};
    // An option that is there already gets the other value.
    for (std::size_t i = 0; i < more.size(); ++i) {
      const auto found = std::find(all.begin(), all.end(), more[i]);
      if (found == all.end() || !more[i].starts_with("--")) {
        all.push_back(more[i]);
      } else {
        *(found + 1) = more[++i];
      }
    }
    return all;
  }

  void expect_refused(const std::vector<std::string>& words, int code,
                      const std::string& what) const {
    const auto done = cloze_command(words);
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_THAT(done.err, HasSubstr("error: "));
    EXPECT_THAT(done.err, HasSubstr(what));
    EXPECT_FALSE(fs::exists(path("refused") + "/model.safetensors"));
  }

  TempDirectory folder;
};

TEST_F(FinetuneCommand, TrainsAModelAndTellsItsFigures) {
  const auto done = cloze_command(arguments("run", {"--epochs", "2"}));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("48 examples to learn from, 12 to evaluate on"));
  EXPECT_THAT(done.err, HasSubstr("a new head"));
  EXPECT_THAT(done.err, HasSubstr("dev set after epoch 2.00"));
  EXPECT_THAT(done.out, HasSubstr("| epoch |"));
  EXPECT_THAT(done.out, HasSubstr("done: 12 steps"));
  for (const auto* name : {"config.json", "model.safetensors", "tokenizer.json", "README.md"}) {
    EXPECT_TRUE(fs::exists(folder / "run" / name)) << name;
  }

  // The model goes on with its own head, and keeps its labels.
  auto more = arguments("more", {"--epochs", "1", "--json"});
  std::vector<std::string> go_on;
  for (std::size_t i = 0; i < more.size(); ++i) {
    if (more[i] == "--size" || more[i] == "--vocab") {
      ++i;
      continue;
    }
    go_on.push_back(more[i]);
  }
  go_on.insert(go_on.end(), {"--model", path("run")});
  const auto again = cloze_command(go_on);
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("the head that the model has"));
  const auto json = nlohmann::json::parse(again.out);
  EXPECT_EQ(json.at("steps"), 6);
  EXPECT_TRUE(json.at("finished").get<bool>());
  EXPECT_TRUE(json.at("metrics").contains("accuracy"));

  // Labels that it does not have are an error that says so.
  write_file(path("train.tsv"), "calm sea\tfine\nwild sea\tpoor\n");
  go_on[go_on.size() - 3] = "--json";
  for (auto& word : go_on) {
    if (word == path("more")) word = path("refused");
  }
  expect_refused(go_on, 1, "a new head");
}

TEST_F(FinetuneCommand, AStoppedRunResumesToTheSameModel) {
  ASSERT_EQ(cloze_command(arguments("whole", {"--epochs", "3"})).code, 0);
  // Half the run, as if it had been killed after its second epoch: what came later is taken away.
  ASSERT_EQ(cloze_command(arguments("killed", {"--epochs", "3", "--keep", "9"})).code, 0);
  fs::remove_all(folder / "killed" / "checkpoint-18");
  fs::remove(folder / "killed" / "model.safetensors");
  const auto resumed = cloze_command({"finetune", "--resume", "--output", path("killed")});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resuming from"));
  EXPECT_EQ(read_file(folder / "whole" / "model.safetensors"),
            read_file(folder / "killed" / "model.safetensors"));
  EXPECT_EQ(read_file(folder / "whole" / "checkpoint-18" / "model.safetensors"),
            read_file(folder / "killed" / "checkpoint-18" / "model.safetensors"));

  // With other data, or another course, it does not.
  write_file(path("train.tsv"), examples(48, 2));
  EXPECT_THAT(cloze_command({"finetune", "--resume", "--output", path("killed")}).err,
              HasSubstr("not what the run began with"));
  const auto changed =
      cloze_command({"finetune", "--resume", "--output", path("killed"), "--learning-rate", "1"});
  EXPECT_EQ(changed.code, 2);
  EXPECT_THAT(changed.err, HasSubstr("cannot become"));
}

TEST_F(FinetuneCommand, ASignalSavesAndAKillLosesNothing) {
  const std::vector<std::string> course{"--epochs",         "5", "--save-every", "3",
                                        "--evaluate-every", "15"};
  ASSERT_EQ(cloze_command(arguments("whole", course)).code, 0);
  const int terminated = interrupted_command(arguments("run", course), folder / "run", SIGTERM);
  ASSERT_TRUE(WIFSIGNALED(terminated));
  EXPECT_EQ(WTERMSIG(terminated), SIGTERM);
  const std::vector<std::string> resume{"finetune", "--resume", "--output", path("run")};
  const int killed = interrupted_command(resume, folder / "run", SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(killed) || WEXITSTATUS(killed) == 0);
  const auto finished = cloze_command(resume);
  ASSERT_EQ(finished.code, 0) << finished.err;
  for (const auto* file : {"model.safetensors", "checkpoint-30/model.safetensors"}) {
    EXPECT_EQ(read_file(folder / "run" / file), read_file(folder / "whole" / file)) << file;
  }
}

TEST_F(FinetuneCommand, AnExistingRunIsNotOverwrittenUnasked) {
  ASSERT_EQ(cloze_command(arguments("refuse", {"--steps", "1"})).code, 0);
  const auto again = cloze_command(arguments("refuse", {"--steps", "1"}));
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("overwrite it"));
  EXPECT_EQ(cloze_command(arguments("refuse", {"--steps", "1", "--overwrite"})).code, 0);
}

TEST_F(FinetuneCommand, WhatNoRunWroteIsNotOverwritten) {
  fs::create_directory(folder / "mine");
  for (const auto* name : {"README.md", "model.safetensors"}) {
    write_file(folder / "mine" / name, "mine");
  }
  const auto done = cloze_command(arguments("mine", {"--steps", "1", "--overwrite"}));
  EXPECT_EQ(done.code, 2);
  EXPECT_THAT(done.err, HasSubstr("holds no run"));
  EXPECT_EQ(read_file(folder / "mine" / "model.safetensors"), "mine");
}

TEST_F(FinetuneCommand, AnyNameOfAFileIsGoodForAResult) {
  const auto done = cloze_command(arguments("run \xff", {"--steps", "1", "--json"}));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(nlohmann::json::parse(done.out).at("output"), path("run \xEF\xBF\xBD"));
  const auto resumed = cloze_command({"finetune", "--resume", "--output", path("run \xff")});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
}

TEST_F(FinetuneCommand, OptionsOfTrainingDoWhatTheySay) {
  const auto done = cloze_command(arguments(
      "options",
      {"--steps",           "4", "--class-weights", "balanced", "--label-smoothing",   "0.1",
       "--freeze-layers",   "1", "--layer-decay",   "0.8",      "--accumulation",      "2",
       "--evaluate-every",  "2", "--best-metric",   "loss",     "--max-train-samples", "20",
       "--max-dev-samples", "5", "--warmup",        "2"}));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("20 examples to learn from, 5 to evaluate on"));
  const auto card = read_file(folder / "options" / "README.md");
  for (const auto* said : {"class weights", "label smoothing", "layer decay", "frozen",
                           "warm-up 0.5", "\ncloze classify --model DIR ...\n"}) {
    EXPECT_THAT(card, HasSubstr(said));
  }
}

// From the discriminator on: projected embeddings, a head of ELECTRA's own, and its names when it is saved.
TEST_F(FinetuneCommand, AnElectraStaysOne) {
  const auto discriminator =
      (fs::path(kSourceDir) / "tests/goldens/electra/discriminator").string();
  write_file(path("train.tsv"), "the dog\tgood\na poor dog\tpoor\nthe dogs\tgood\npoor .\tpoor\n");
  const std::vector<std::string> begin{"finetune",
                                       "--task",
                                       "text-classification",
                                       "--model",
                                       discriminator,
                                       "--train",
                                       path("train.tsv"),
                                       "--dev",
                                       path("train.tsv"),
                                       "--batch-size",
                                       "2",
                                       "--epochs",
                                       "30",
                                       "--learning-rate",
                                       "5e-3",
                                       "--dropout",
                                       "0",
                                       "--threads",
                                       "1",
                                       "--output",
                                       path("electra")};
  const auto done = cloze_command(begin);
  ASSERT_EQ(done.code, 0) << done.err;
  const auto config = nlohmann::json::parse(read_file(folder / "electra" / "config.json"));
  EXPECT_EQ(config.at("model_type"), "electra");
  EXPECT_EQ(config.at("embedding_size"), 16);
  EXPECT_EQ(config.at("architectures"), nlohmann::json({"ElectraForSequenceClassification"}));
  EXPECT_THAT(read_file(folder / "electra" / "README.md"), HasSubstr("An ELECTRA for"));
  const auto names = Checkpoint::open(folder / "electra").names();
  for (const auto* name :
       {"classifier.dense.weight", "classifier.out_proj.bias", "electra.embeddings_project.weight",
        "electra.encoder.layer.1.output.dense.bias"}) {
    EXPECT_THAT(names, ::testing::Contains(name));
  }
  const auto answer = cloze_command(
      {"classify", "--model", path("electra"), "--json", "the dogs .", "a poor dog ."});
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, ::testing::AllOf(HasSubstr("good"), HasSubstr("poor")));
  // It goes on, as itself, with other labels or another task.
  auto again = begin;
  again[4] = path("electra");
  again.back() = path("again");
  again[12] = "1";
  const auto more = cloze_command(again);
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(Checkpoint::open(folder / "again").names(), names);
}

TEST_F(FinetuneCommand, MistakesAreToldBeforeAnythingIsMade) {
  expect_refused({"finetune", "--task", "text-classification"}, 2, "--output");
  expect_refused({"finetune", "--output", path("refused")}, 2, "the task is missing");
  expect_refused({"finetune", "--output", path("refused"), "--task", "poetry", "--model", "m"}, 2,
                 "the training data is missing");
  expect_refused(arguments("refused", {"--task", "poetry"}), 2, "there is no task poetry");
  expect_refused(arguments("refused", {"--train", path("missing.tsv")}), 1, "missing.tsv");
  expect_refused(arguments("refused", {"--class-weights", "1,x"}), 2, "--class-weights");
  expect_refused(arguments("refused", {"--class-weights", "1,2,3"}), 2, "2 labels");
  expect_refused(arguments("refused", {"--freeze-layers", "3"}), 2, "layers");
  expect_refused(arguments("refused", {"--schedule", "square"}), 2, "square");
  expect_refused(arguments("refused", {"--label-smoothing", "1"}), 2, "--label-smoothing");
  expect_refused(arguments("refused", {"--learning-rate", "nan"}), 2, "--learning-rate");
  expect_refused(arguments("refused", {"--epochs", "inf"}), 2, "--epochs");
  EXPECT_FALSE(fs::exists(path("refused")));
  expect_refused({"finetune", "--resume", "--output", path("nothing")}, 2, "no run to resume");
  write_file(path("new.tsv"), "calm sea\tnever seen\n");
  expect_refused(arguments("refused", {"--dev", path("new.tsv")}), 1, "new.tsv");
  write_file(path("one.tsv"), "calm sea\tgood\nwild sea\tgood\n");
  expect_refused(arguments("refused", {"--train", path("one.tsv")}), 1, "one.tsv");
  write_file(path("empty.tsv"), "");
  expect_refused(arguments("refused", {"--train", path("empty.tsv")}), 1, "empty.tsv");
  write_file(path("file"), "");
  const auto done = cloze_command(arguments("file/run"));
  EXPECT_EQ(done.code, 1) << done.err;
  EXPECT_THAT(done.err, HasSubstr("file/run"));
}

}  // namespace
}  // namespace cloze::testing
