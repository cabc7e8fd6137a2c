#include "core/io/whole_directory.h"

#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/output.h"
#include "core/child_process.h"
#include "core/io/atomic_file.h"
#include "core/io/files.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::read_file;
using testing::TempDirectory;
using testing::write_file;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : files::list(directory)) names.push_back(entry.filename().string());
  return names;
}

void write_model(const fs::path& directory, const std::string& content) {
  for (const auto* name : {"config.json", "weights", "part/config.json"}) {
    files::make_directory((directory / name).parent_path());
    files::write_text(directory / name, content);
  }
}

void fill(const WholeDirectory& whole) {
  whole.fill([](const fs::path& made) { write_model(made, "new"); });
}

TEST(WholeDirectory, AppearsWholeOrNotAtAll) {
  const TempDirectory folder;
  const auto target = folder / "above/model";
  {
    const WholeDirectory whole(target);
    fill(whole);
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_THAT(names_in(folder / "above"), IsEmpty());
  WholeDirectory whole(target);
  fill(whole);
  whole.commit({"config.json"});
  EXPECT_THAT(names_in(target), ElementsAre("config.json", "part", "weights"));
  EXPECT_THAT(names_in(folder / "above"), ElementsAre("model"));
}

TEST(WholeDirectory, ReplacesFilesAndKeepsOthers) {
  const TempDirectory folder;
  const auto& target = folder.path();
  write_model(target, "old");
  for (const auto* name : {"mine", "stale", "part/mine"}) write_file(target / name, "old");
  fs::permissions(target / "weights", fs::perms(0600));
  {
    WholeDirectory whole(target);
    fill(whole);
    EXPECT_EQ(read_file(target / "config.json"), "old");
    whole.commit({"config.json"}, {"stale", "config.json", "never there"});
  }
  EXPECT_THAT(names_in(target), ElementsAre("config.json", "mine", "part", "weights"));
  for (const auto* name : {"config.json", "weights", "part/config.json"}) {
    EXPECT_EQ(read_file(target / name), "new") << name;
  }
  EXPECT_EQ(read_file(target / "part/mine"), "old");
  EXPECT_EQ(fs::status(target / "weights").permissions(), fs::perms(0600));
}

TEST(WholeDirectory, AFailureOnTheWayBringsTheOldFilesBack) {
  const TempDirectory folder;
  const auto& target = folder.path();
  write_model(target, "old");
  write_file(target / "stale", "old");
  // A new file in a directory whose name is taken by a file: known when the others are in place.
  write_file(target / "zone", "a file");
  {
    WholeDirectory whole(target);
    fill(whole);
    whole.fill([](const fs::path& made) {
      files::make_directory(made / "zone");
      files::write_text(made / "zone/file", "new");
    });
    EXPECT_THROW(whole.commit({"config.json"}, {"stale"}), IoError);
  }
  EXPECT_THAT(names_in(target), ElementsAre("config.json", "part", "stale", "weights", "zone"));
  for (const auto* name : {"config.json", "weights", "part/config.json", "stale"}) {
    EXPECT_EQ(read_file(target / name), "old") << name;
  }
}

TEST(WholeDirectory, RefusesBeforeItMovesAnything) {
  const TempDirectory folder;
  const auto& target = folder.path();
  write_model(target, "old");
  const auto refused = [&] {
    WholeDirectory whole(target);
    fill(whole);
    EXPECT_THROW(whole.commit({"config.json"}), IoError);
  };
  fs::permissions(target / "weights", fs::perms(0444));
  refused();
  fs::remove(target / "weights");
  fs::create_directories(target / "weights/of mine");
  refused();
  EXPECT_EQ(read_file(target / "config.json"), "old");
  EXPECT_TRUE(fs::exists(target / "weights/of mine"));
  EXPECT_THAT(names_in(target), ElementsAre("config.json", "part", "weights"));
}

TEST(WholeDirectory, NamesTheTargetInItsErrors) {
  const TempDirectory folder;
  const WholeDirectory whole(folder / "model");
  try {
    whole.fill([](const fs::path& made) { files::write_text(made / "no/where", ""); });
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("cannot write " + folder.path().string() +
                                                   "/model/no/where: No such file"));
  }
}

TEST(WholeDirectory, RemovesWhatAKilledProcessLeftBehind) {
  const TempDirectory folder;
  const auto status = testing::in_child([&] {
    const WholeDirectory inside(folder.path()), beside(folder / "model");
    std::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(status, testing::kKilled);
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  { const WholeDirectory inside(folder.path()), beside(folder / "model"); }
  EXPECT_THAT(names_in(folder.path()), IsEmpty());
}

TEST(RemoveTemporaries, TakesFilesAndDirectoriesButNoneOfAnotherProcess) {
  const TempDirectory folder;
  AtomicFile file(folder / "file");
  WholeDirectory whole(folder / "model");
  fill(whole);
  ASSERT_EQ(names_in(folder.path()).size(), 2U);
  const auto status = testing::in_child([] {
    remove_temporaries();  // as a child's handler would, which has its parent's table
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  remove_temporaries();
  EXPECT_THAT(names_in(folder.path()), IsEmpty());
}

TEST(RemoveTemporaries, LeavesWhatIsFinished) {
  const TempDirectory folder;
  AtomicFile file(folder / "file");
  file.write("text");
  file.commit();
  write_model(folder / "model", "old");
  WholeDirectory whole(folder / "model");
  fill(whole);
  whole.commit({"config.json"});
  remove_temporaries();
  EXPECT_EQ(read_file(folder / "file"), "text");
  EXPECT_EQ(read_file(folder / "model/weights"), "new");
}

}  // namespace
}  // namespace cloze
