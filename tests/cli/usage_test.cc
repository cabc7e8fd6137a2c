// How `cloze` takes its words: help, versions, mistakes, and what becomes of its output.
#include "cli/run_command.h"
#include "places.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> names{"info",      "tokenize",      "encode", "similarity",
                                     "fill-mask", "next-sentence", "bench"};

TEST(Usage, HelpListsEveryCommand) {
  const auto finished = cloze_command({"--help"});
  expect_success(finished);
  for (const auto& name : names) EXPECT_THAT(finished.out, HasSubstr("\n  " + name + " "));
}

TEST(Usage, EveryCommandHasHelpWithExamples) {
  auto commands = std::vector<std::vector<std::string>>{{"bench", "encode"}};
  for (const auto& name : names) {
    if (name != "bench") commands.push_back({name});
  }
  for (auto words : commands) {
    std::string typed = "cloze";
    for (const auto& word : words) typed += " " + word;
    words.emplace_back("--help");
    const auto finished = cloze_command(words);
    expect_success(finished);
    EXPECT_THAT(finished.out, HasSubstr("Usage: " + typed));
    EXPECT_THAT(finished.out, HasSubstr("Examples:\n  " + typed));
    EXPECT_THAT(finished.out, HasSubstr("--model"));
  }
}

TEST(Usage, Version) {
  const auto finished = cloze_command({"--version"});
  expect_success(finished);
  EXPECT_THAT(finished.out, ::testing::MatchesRegex("cloze [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Usage, MistakesAreExitCode2) {
  const auto model = golden_model("bare_odd").string();
  expect_failure(cloze_command({}), 2, {"a command is missing"});
  expect_failure(cloze_command({"incode"}), 2, {"no command \"incode\""});
  expect_failure(cloze_command({"bench", "nothing"}), 2, {"\"nothing\"", "cloze bench --help"});
  expect_failure(cloze_command({"encode", "text"}), 2, {"--model"});
  expect_failure(cloze_command({"encode", "--model", model, "--colour", "a"}), 2, {"--colour"});
  expect_failure(cloze_command({"encode", "--model", model, "--dtype", "f12", "a"}), 2, {"f12"});
  expect_failure(cloze_command({"encode", "--model", model, "--device", "tpu", "a"}), 2, {"tpu"});
  expect_failure(cloze_command({"encode", "--model", model, "--threads", "-3", "a"}), 2,
                 {"--threads"});
  expect_failure(cloze_command({"encode", "--model", model, "--threads", "two", "a"}), 2,
                 {"--threads"});
  expect_failure(cloze_command({"encode", "--model", model, "--batch-tokens", "0", "a"}), 2,
                 {"--batch-tokens"});
  expect_failure(cloze_command({"encode", "--model", model, "--pooling", "sum", "a"}), 2,
                 {"sum", "mean"});
  expect_failure(cloze_command({"encode", "--model", model, "--layers", "7", "a"}), 2,
                 {"no layer 7"});
  for (const auto* option : {"--layers", "--input", "--pooling", "--output"}) {
    expect_failure(cloze_command({"encode", "--model", model, option, "", "a"}), 2,
                   {option, "empty"});
  }
  expect_failure(cloze_command({"encode", "--model", model, "-o", "x.csv", "a"}), 2, {".npy"});
  expect_failure(cloze_command({"encode", "--model", model, "-i", "file", "a"}), 2, {"not both"});
  expect_failure(cloze_command({"encode", "--model", model, "--max-length", "99", "a"}), 2,
                 {"99", "24"});
  expect_failure(cloze_command({"tokenize", "--model", model, "--mode", "bert", "a"}), 2, {"bert"});
  expect_failure(cloze_command({"tokenize", "--model", model, "--offsets", "words", "a"}), 2,
                 {"words"});
  expect_failure(cloze_command({"similarity", "--model", model, "--top-k", "3", "a\tb"}), 2,
                 {"--query"});
  expect_failure(cloze_command({"bench", "encode", "--size", "huge"}), 2, {"huge", "base"});
  expect_failure(cloze_command({"bench", "encode", "--size", "base", "--model", model}), 2, {});
}

TEST(Usage, ThisBuildHasNoCuda) {
  const auto model = golden_model("bare_odd").string();
  expect_failure(cloze_command({"encode", "--model", model, "--device", "cuda", "a"}), 1,
                 {"CUDA", "--device cpu"});
}

TEST(Usage, TextsAreTakenAsTheyAre) {
  // Brackets, commas, command names and what looks like an option after "--" are text.
  const auto model = golden_model("pretraining").string();
  const std::vector<std::string> texts{"[MASK] , [MASK]", "[a,b]", "encode", "", "%%", "{}", "'a'"};
  std::vector<std::string> words{"tokenize", "--model", model, "--json", "--no-special"};
  words.insert(words.end(), texts.begin(), texts.end());
  words.insert(words.end(), {"--", "--json"});
  const auto finished = cloze_command(words);
  expect_success(finished);
  const auto lines = json_lines(finished.out);
  ASSERT_EQ(lines.size(), texts.size() + 1);
  EXPECT_EQ(lines[0]["tokens"], nlohmann::json::parse(R"(["[MASK]", ",", "[MASK]"])"));
  EXPECT_EQ(lines[1]["offsets"].size(), 5U);
  EXPECT_EQ(lines[1]["offsets"].back(), nlohmann::json::parse("[4,5]"));
  EXPECT_EQ(lines[2]["offsets"].back().back(), 6);
  EXPECT_EQ(lines[3]["ids"].size(), 0U);
  EXPECT_EQ(lines[4]["offsets"].size(), 2U);
  EXPECT_EQ(lines[6]["offsets"].back(), nlohmann::json::parse("[2,3]"));
  EXPECT_EQ(lines[7]["offsets"].back().back(), 6);
}

TEST(Usage, AModelIsFoundByNameInTheCache) {
  const TempDirectory cache;
  std::filesystem::create_directory_symlink(golden_model("bare_odd"), cache / "my-bert");
  const RunOptions options{.environment = {"CLOZE_CACHE=" + cache.path().string()}};
  expect_success(cloze_command({"info", "--model", "my-bert"}, options));
  expect_success(cloze_command({"info", "--model", "somebody/my-bert"}, options));
  expect_failure(cloze_command({"info", "--model", "no-bert"}, options), 1,
                 {"no-bert", cache.path().string()});
}

TEST(Usage, AFullDiskIsAnError) {
  const auto model = golden_model("bare_odd").string();
  const RunOptions full{.output = "/dev/full"};
  const auto no_space = std::vector<std::string>{"standard output", "No space left"};
  expect_failure(cloze_command({"--version"}, full), 1, no_space);
  expect_failure(cloze_command({"--help"}, full), 1, no_space);
  expect_failure(cloze_command({"info", "--model", model}, full), 1, no_space);
  expect_failure(cloze_command({"tokenize", "--model", model, "a"}, full), 1, no_space);
  expect_failure(cloze_command({"encode", "--model", model, "a"}, full), 1, no_space);
}

TEST(Usage, AClosedPipeEndsQuietly) {
  const TempDirectory folder;
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "the dog , a b c d e f\n";
  write_file(folder / "lines.txt", text);
  const auto model = golden_model("bare_odd").string();
  const auto err = (folder / "err").string();
  const std::string command = std::string("set -o pipefail; '") + kClozeBinary +
                              "' tokenize --model '" + model + "' -i '" +
                              (folder / "lines.txt").string() + "' 2>'" + err + "' | head -1 >'" +
                              (folder / "out").string() + "'";
  ASSERT_EQ(std::system(("bash -c \"" + command + "\"").c_str()), 0);
  EXPECT_EQ(read_file(err), "");
  EXPECT_THAT(read_file(folder / "out"), HasSubstr("[CLS]"));
}

}  // namespace
}  // namespace cloze::testing
