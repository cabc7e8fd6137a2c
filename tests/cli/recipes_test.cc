// examples/tasks/run.sh runs as it stands: every task is trained and answers, on the files of
// examples/data.
#include <cstdlib>

#include "cli/run_command.h"
#include "places.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;

TEST(Recipes, EveryTaskTrainsAndAnswers) {
  const TempDirectory folder;
  const auto data = std::filesystem::path(kSourceDir) / "examples" / "data";
  const auto text = (data / "sentiment.train.tsv").string();
  const auto model = (folder / "tiny").string();
  const auto vocabulary = cloze_command(
      {"vocab", "--text", text, "--size", "600", "--output", (folder / "vocab.txt").string()});
  ASSERT_EQ(vocabulary.code, 0) << vocabulary.err;
  const auto pretrained = cloze_command({"pretrain", "--text", text, "--dev", text, "--vocab",
                                         (folder / "vocab.txt").string(), "--size", "tiny",
                                         "--steps", "1", "--no-next-sentence", "--output", model});
  ASSERT_EQ(pretrained.code, 0) << pretrained.err;

  const auto log = (folder / "log").string();
  const auto script = std::filesystem::path(kSourceDir) / "examples" / "tasks" / "run.sh";
  const auto command = "CLOZE='" + std::string(kClozeBinary) + "' '" + script.string() + "' '" +
                       model + "' '" + (folder / "out").string() + "' 2 >'" + log + "' 2>&1";
  // NOLINTNEXTLINE(cert-env33-c): a script is what is tested
  const auto code = std::system(command.c_str());
  const auto said = read_file(log);
  EXPECT_EQ(code, 0) << said;
  for (const auto* name : {"sentiment", "topics", "pairs", "likeness", "entities", "questions",
                           "choices", "intents", "slots", "responses"}) {
    EXPECT_THAT(said, HasSubstr("\n== " + std::string(name) + " ("));
    EXPECT_TRUE(std::filesystem::exists((folder / "out") / name / "README.md")) << name;
  }
  EXPECT_THAT(said, HasSubstr("it was dark."));  // cloze choose answered
  EXPECT_EQ(json_lines(read_file(folder / "out" / "intents.jsonl")).size(), 12U);
}

}  // namespace
}  // namespace cloze::testing
