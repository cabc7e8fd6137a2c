// `cloze pretrain` as a user meets it: a run, its interruptions, and what is refused.
#include <csignal>

#include "cli/run_command.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string text_of_words() {
  const std::vector<std::string> words{"sea", "ship", "storm", "whale", "night", "sail", "wind"};
  std::string text;
  for (std::size_t document = 0; document < 80; ++document) {
    for (std::size_t line = 0; line < 8; ++line) {
      for (std::size_t i = 0; i < 6 + (document + line) % 5; ++i) {
        text += words[(document * 3 + line * i) % words.size()] + ' ';
      }
      text += ".\n";
    }
    text += '\n';
  }
  return text;
}

class PretrainCommand : public ::testing::Test {
 protected:
  PretrainCommand() { write_file(text, text_of_words()); }

  [[nodiscard]] std::vector<std::string> arguments(const std::string& output,
                                                   const std::string& steps) const {
    return {"pretrain", "--text",           text,  "--vocab-size",   "120", "--size",
            "tiny",     "--steps",          steps, "--batch-tokens", "256", "--max-length",
            "32",       "--save-every",     "4",   "--log-every",    "5",   "--held-out",
            "0.1",      "--evaluate-every", "10",  "--threads",      "1",   "--output",
            output};
  }
  [[nodiscard]] std::string path(std::string_view name) const { return (folder / name).string(); }

  TempDirectory folder;
  std::string text = path("text.txt");
};

TEST_F(PretrainCommand, TrainsAModelThatOtherCommandsRead) {
  auto words = arguments(path("run"), "20");
  words.emplace_back("--json");
  const auto finished = cloze_command(words);
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto result = json_lines(finished.out).at(0);
  EXPECT_EQ(result.at("steps"), 20);
  EXPECT_EQ(result.at("finished"), true);
  EXPECT_GT(result.at("masked_lm_loss").get<double>(), 0);
  EXPECT_THAT(finished.err, HasSubstr("step     20"));
  EXPECT_THAT(finished.err, HasSubstr("held out at step 20"));
  EXPECT_THAT(finished.err, HasSubstr("of GEMM"));
  const auto info = cloze_command({"info", "--model", path("run")});
  expect_success(info);
  EXPECT_THAT(info.out, HasSubstr("BertForPreTraining"));
  expect_success(cloze_command({"fill-mask", "--model", path("run"), "the [MASK] ship"}));
  expect_success(cloze_command({"next-sentence", "--model", path("run"), "sea .", "ship ."}));

  // Going on from it, without the second task.
  auto more = std::vector<std::string>{"pretrain",   "--text",       text, "--init",
                                       path("run"),  "--steps",      "3",  "--output",
                                       path("more"), "--max-length", "32", "--no-next-sentence"};
  ASSERT_EQ(cloze_command(more).code, 0);
  EXPECT_THAT(cloze_command({"info", "--model", path("more")}).out, HasSubstr("BertForMaskedLM"));
}

TEST_F(PretrainCommand, ASignalSavesAndAKillLosesNothing) {
  ASSERT_EQ(cloze_command(arguments(path("whole"), "60")).code, 0);
  const auto wanted = read_file(folder / "whole/checkpoint-60/model.safetensors");
  const int terminated = interrupted_command(arguments(path("run"), "60"), folder / "run", SIGTERM);
  ASSERT_TRUE(WIFSIGNALED(terminated));
  EXPECT_EQ(WTERMSIG(terminated), SIGTERM);
  const std::vector<std::string> resume{"pretrain", "--resume", "--output", path("run")};
  const int killed = interrupted_command(resume, folder / "run", SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(killed) || WEXITSTATUS(killed) == 0);
  const auto finished = cloze_command(resume);
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("resuming from"));
  EXPECT_EQ(read_file(folder / "run/checkpoint-60/model.safetensors"), wanted);
}

TEST_F(PretrainCommand, WhatIsRefusedIsNamed) {
  const auto without = [&](std::vector<std::string> words, const std::string& option) {
    const auto at = std::find(words.begin(), words.end(), option);
    words.erase(at, at + 2);
    return words;
  };
  const auto good = arguments(path("run"), "4");
  expect_failure(cloze_command(without(good, "--text")), 2, {"the text is missing"});
  expect_failure(cloze_command(without(good, "--vocab-size")), 2,
                 {"a vocabulary is missing", "init"});
  expect_failure(cloze_command(without(good, "--steps")), 2, {"number of steps", "a time"});
  expect_failure(cloze_command(without(good, "--output")), 2, {"--output"});
  const auto with = [&](std::vector<std::string> words, std::vector<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  expect_failure(cloze_command(with(good, {"--max-time", "soon"})), 2, {"soon"});
  for (const auto* endless : {"nan", "inf", "-inf", "1e308h", "0", "-5m"}) {
    expect_failure(cloze_command(with(good, {"--max-time", endless})), 2, {"--max-time"});
  }
  expect_failure(cloze_command(with(good, {"--schedule", "steep"})), 2, {"steep", "cosine"});
  expect_failure(cloze_command(with(good, {"--optimizer", "sgd"})), 2, {"sgd"});
  expect_failure(cloze_command(with(good, {"--resume"})), 2, {"no run to resume"});
  expect_failure(cloze_command(with(good, {"--config", path("none.json")})), 2, {"--config"});
  EXPECT_FALSE(fs::exists(folder / "run"));  // nothing was made on the way to a mistake
  write_file(folder / "empty.txt", "\n \n");
  auto empty = without(good, "--text");
  EXPECT_EQ(cloze_command(with(empty, {"--text", path("empty.txt"), "--overwrite"})).code, 1);
  EXPECT_EQ(cloze_command(with(empty, {"--text", path("absent.txt"), "--overwrite"})).code, 1);
  write_file(folder / "file", "");
  auto nowhere = without(good, "--output");
  expect_failure(cloze_command(with(nowhere, {"--output", path("file")})), 1, {"file"});
}

TEST_F(PretrainCommand, ARunIsNotOverwrittenOrChangedByAccident) {
  const auto words = arguments(path("run"), "4");
  ASSERT_EQ(cloze_command(words).code, 0);
  expect_failure(cloze_command(words), 2, {"another run", "resume it", "overwrite it"});
  const auto resume = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"pretrain", "--resume", "--output", path("run")};
    all.insert(all.end(), more.begin(), more.end());
    return cloze_command(all);
  };
  expect_failure(resume({"--seed", "7"}), 2, {"seed was 42", "7"});
  expect_failure(resume({"--learning-rate", "0.5"}), 2, {"learning-rate was"});
  const auto longer = resume({"--steps", "6"});
  EXPECT_EQ(longer.code, 0) << longer.err;
  EXPECT_THAT(longer.err, HasSubstr("steps was 4, is 6"));
  EXPECT_TRUE(fs::exists(folder / "run/checkpoint-6"));
  // Another text under the same name.
  write_file(text, text_of_words() + "a word more\n");
  const auto other = resume({"--steps", "8"});
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.err, HasSubstr("not what the run began with"));
  auto again = words;
  again.emplace_back("--overwrite");
  EXPECT_EQ(cloze_command(again).code, 0);
  EXPECT_FALSE(fs::exists(folder / "run/checkpoint-6"));
}

TEST_F(PretrainCommand, BenchTrainMeasures) {
  const auto finished =
      cloze_command({"bench", "train", "--size", "tiny", "--batch", "2", "--length", "16",
                     "--iterations", "2", "--json", "--profile"});
  expect_success(finished);
  const auto result = json_lines(finished.out).at(0);
  for (const auto* field : {"ms_median", "tokens_per_s", "gemm_gflops", "fraction_of_gemm"}) {
    EXPECT_GT(result.at(field).get<double>(), 0) << field;
  }
  EXPECT_EQ(result.at("tokens"), 32);
  EXPECT_FALSE(result.at("profile").empty());
  expect_failure(cloze_command({"bench", "train", "--size", "huge"}), 2, {"huge"});
  expect_failure(cloze_command({"bench", "train", "--length", "9999"}), 2, {"512"});
}

}  // namespace
}  // namespace cloze::testing
