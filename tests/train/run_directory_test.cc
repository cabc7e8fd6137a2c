// Checkpoints are whole or not there, and what is damaged is found.
#include "train/run/run_directory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::write_file;

void save(const RunDirectory& run, std::int64_t step) {
  run.save(step, [&](const fs::path& to) {
    write_file(to / "model.safetensors", "weights of step " + std::to_string(step));
    write_file(to / "config.json", "{}");
    write_file(to / kOptimizerFile, "moments");
    write_file(to / kTrainerStateFile, "{}");
  });
}

class Run : public ::testing::Test {
 protected:
  testing::TempDirectory temporary;
  fs::path path = temporary.path() / "run";
  std::vector<std::string> complaints;
};

TEST_F(Run, TheNewestWholeCheckpointIsFound) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  EXPECT_FALSE(run.newest_whole(complaints));
  for (const std::int64_t step : {5, 100, 20}) save(run, step);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{5, 20, 100}));
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(100));
  EXPECT_TRUE(complaints.empty());
}

TEST_F(Run, EveryDamagedByteIsNoticed) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  save(run, 1);
  save(run, 2);
  for (const auto name :
       {"model.safetensors", "config.json", "optimizer.safetensors", "trainer_state.json"}) {
    const auto file = run.checkpoint(2) / name;
    const auto good = read_file(file);
    for (std::size_t at = 0; at < good.size(); ++at) {
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      write_file(file, bad);
      complaints.clear();
      ASSERT_EQ(run.newest_whole(complaints), run.checkpoint(1)) << name << ' ' << at;
      ASSERT_EQ(complaints.size(), 1U);
      ASSERT_NE(complaints[0].find(name), std::string::npos) << complaints[0];
    }
    write_file(file, good.substr(0, good.size() - 1));
    EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(1));
    write_file(file, good);
  }
  const auto checksums = run.checkpoint(2) / kChecksumFile;
  const auto good = read_file(checksums);
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write_file(checksums, bad);
    // A changed checksum is wrong; a file that is not named any more is not missed. Nothing
    // crashes.
    EXPECT_TRUE(run.newest_whole(complaints));
  }
  write_file(checksums, good);
  complaints.clear();
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(2));
  fs::remove(run.checkpoint(2) / "model.safetensors");
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(1));
  EXPECT_NE(complaints.at(0).find("missing"), std::string::npos);
}

TEST_F(Run, AFailedSaveLeavesWhatWasThere) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  save(run, 1);
  EXPECT_THROW(run.save(2,
                        [](const fs::path& to) {
                          write_file(to / "model.safetensors", "half of the wei");
                          throw IoError("No space left on device");
                        }),
               IoError);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(std::distance(fs::directory_iterator(path), fs::directory_iterator()), 1);
}

TEST_F(Run, WhatAKilledSaveLeftIsRemoved) {
  RunDirectory::open(path, ExistingRun::refuse).write_settings("{}");
  fs::create_directory(path / ".checkpoint-7.tmp");
  write_file(path / ".checkpoint-7.tmp" / "model.safetensors", "half");
  static_cast<void>(RunDirectory::open(path, ExistingRun::resume));
  EXPECT_FALSE(fs::exists(path / ".checkpoint-7.tmp"));
  // Of files that were being written; what no run writes stays.
  for (const auto* name : {".model.safetensors.tmp", ".run.json.7-0.tmp", ".notes.tmp"}) {
    write_file(path / name, "half");
  }
  static_cast<void>(RunDirectory::open(path, ExistingRun::resume));
  EXPECT_FALSE(fs::exists(path / ".model.safetensors.tmp"));
  EXPECT_FALSE(fs::exists(path / ".run.json.7-0.tmp"));
  EXPECT_TRUE(fs::exists(path / ".notes.tmp"));
}

TEST_F(Run, OnlyTheNewestAndTheBestAreKept) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  for (const std::int64_t step : {1, 2, 3, 4, 5}) save(run, step);
  std::set<std::int64_t> whole{5};
  run.prune({.step = 5, .keep = 2, .best = 2}, whole);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{2, 4, 5}));
  EXPECT_TRUE(whole.contains(4));  // it was looked at
}

TEST_F(Run, DamagedCheckpointsAreNotAmongTheNewest) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  for (const std::int64_t step : {1, 2, 3, 4}) save(run, step);
  write_file(run.checkpoint(3) / kOptimizerFile, "mom");
  std::set<std::int64_t> whole{4};
  run.prune({.step = 4, .keep = 2}, whole);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{2, 4}));
}

TEST_F(Run, WhatIsNewerThanTheRunIsNotCounted) {
  // The run went on from step 2, because that of step 9 is damaged.
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  for (const std::int64_t step : {2, 3, 9}) save(run, step);
  write_file(run.checkpoint(9) / kOptimizerFile, "mom");
  std::set<std::int64_t> whole{2, 3};
  run.prune({.step = 3, .keep = 1}, whole);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{3, 9}));
  save(run, 10);
  whole.insert(10);
  run.prune({.step = 10, .keep = 1}, whole);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{10}));
}

TEST_F(Run, ACopyUnderAnotherNumberIsOfTheStepThatItHolds) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  const auto save_with_state = [&](std::int64_t step) {
    run.save(step, [&](const fs::path& to) {
      write_file(to / kOptimizerFile, "moments");
      write_file(to / kTrainerStateFile, "{\"step\": " + std::to_string(step) + "}");
    });
  };
  save_with_state(5);
  fs::copy(run.checkpoint(5), run.checkpoint(99999));
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(5));
  save_with_state(6);
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(6));
  std::set<std::int64_t> whole{6};
  run.prune({.step = 6, .keep = 1}, whole);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{6, 99999}));  // somebody's own
  write_file(run.checkpoint(6) / kOptimizerFile, "");
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(99999));
}

TEST_F(Run, WhatWasPublishedIsRecognised) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  save(run, 1);
  EXPECT_FALSE(holds_model_of(path, run.checkpoint(1)));
  run.publish(1);
  EXPECT_TRUE(holds_model_of(path, run.checkpoint(1)));
}

TEST_F(Run, PublishingPutsTheModelAndNotTheStateIntoTheDirectory) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  save(run, 1);
  save(run, 2);
  run.publish(2);
  run.publish(1);
  EXPECT_EQ(read_file(path / "model.safetensors"), "weights of step 1");
  EXPECT_TRUE(fs::exists(path / "config.json"));
  EXPECT_FALSE(fs::exists(path / kOptimizerFile));
  EXPECT_FALSE(fs::exists(path / kTrainerStateFile));
  std::set<std::int64_t> whole;
  run.prune({.step = 2, .keep = 1}, whole);  // the published model is a file of its own
  EXPECT_EQ(read_file(path / "model.safetensors"), "weights of step 1");
}

TEST_F(Run, PublishedFilesAreCopiesAndKeepTheirDirectories) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  run.save(1, [](const fs::path& to) {
    write_file(to / "config.json", "the model's");
    fs::create_directory(to / "1_Pooling");
    write_file(to / "1_Pooling" / "config.json", "the pooling's");
    write_file(to / kOptimizerFile, "moments");
    write_file(to / kTrainerStateFile, "{}");
  });
  run.publish(1);
  EXPECT_EQ(read_file(path / "config.json"), "the model's");
  EXPECT_EQ(read_file(path / "1_Pooling" / "config.json"), "the pooling's");
  // Editing one in place leaves the checkpoint as it was saved.
  std::ofstream(path / "config.json", std::ios::app) << " edited";
  EXPECT_EQ(run.newest_whole(complaints), run.checkpoint(1));
  EXPECT_TRUE(complaints.empty());
}

TEST_F(Run, OverwritingTakesARun) {
  // A model that no run wrote, and a project.
  const std::vector<std::string> mine{"README.md", "config.json", "model.safetensors"};
  fs::create_directories(path / "checkpoint-7");
  for (const auto& name : mine) write_file(path / name, "mine");
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::overwrite), ArgumentError);
  for (const auto& name : mine) EXPECT_EQ(read_file(path / name), "mine");
  EXPECT_TRUE(fs::exists(path / "checkpoint-7"));
  // With the settings of a run all of it is the run's, large models' parts included.
  write_file(path / "run.json", "{}");
  for (const auto* name : {"model-00001-of-00002.safetensors", "model.safetensors.index.json",
                           "model-of-ships.txt", "notes.txt"}) {
    write_file(path / name, "");
  }
  fs::create_directory(path / "tensorboard");
  write_file(path / "tensorboard" / "events.out.tfevents.1.host.2", "");
  write_file(path / "tensorboard" / "remarks.txt", "");
  static_cast<void>(RunDirectory::open(path, ExistingRun::overwrite));
  EXPECT_TRUE(fs::exists(path / "tensorboard" / "remarks.txt"));
  EXPECT_EQ(std::distance(fs::directory_iterator(path / "tensorboard"), {}), 1);
  fs::remove_all(path / "tensorboard");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(path)) left.push_back(entry.path().filename());
  std::sort(left.begin(), left.end());
  EXPECT_EQ(left, (std::vector<std::string>{"model-of-ships.txt", "notes.txt"}));
}

TEST_F(Run, ARunThatEndedBeforeItsSettingsWereWrittenIsOverwritten) {
  const auto run = RunDirectory::open(path, ExistingRun::refuse);
  run.mark_begun();
  fs::create_directory(path / "tokenizer");
  auto again = RunDirectory::open(path, ExistingRun::overwrite);
  EXPECT_TRUE(fs::is_empty(path));
  write_file(path / "..run-begun.1-0.tmp", "");  // killed while it wrote the mark
  again = RunDirectory::open(path, ExistingRun::overwrite);
  EXPECT_TRUE(fs::is_empty(path));
  again.mark_begun();
  again.write_settings("{}");
  EXPECT_EQ(std::distance(fs::directory_iterator(path), fs::directory_iterator()), 1);
}

TEST_F(Run, ADirectoryWithSomethingInItIsRefused) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  run.write_settings(R"({"seed": 3})");
  save(run, 4);
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::refuse), ArgumentError);
  const auto resumed = RunDirectory::open(path, ExistingRun::resume);
  EXPECT_EQ(resumed.settings(), R"({"seed": 3})");
  EXPECT_EQ(resumed.newest_whole(complaints), resumed.checkpoint(4));
  write_file(path / "notes.txt", "mine");
  const auto over = RunDirectory::open(path, ExistingRun::overwrite);
  EXPECT_TRUE(over.checkpoints().empty());
  EXPECT_EQ(read_file(path / "notes.txt"), "mine");
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::refuse), ArgumentError);  // the notes
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::resume), ArgumentError);
  EXPECT_THROW(RunDirectory::open(path / "notes.txt", ExistingRun::refuse), IoError);
}

}  // namespace
}  // namespace cloze
