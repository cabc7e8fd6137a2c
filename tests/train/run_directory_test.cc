// Checkpoints are whole or not there, and what is damaged is found.
#include "train/run/run_directory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/temp_directory.h"
#include "train/run/run_manifest.h"

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
  for (const auto& name : names_in(path)) EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
}

TEST_F(Run, WhatAKilledSaveLeftIsRemoved) {
  {
    auto run = RunDirectory::open(path, ExistingRun::refuse);
    run.plan("{}");
    save(run, 1);
    run.publish(1);
  }
  fs::create_directory(path / ".checkpoint-7.tmp");
  write_file(path / ".checkpoint-7.tmp" / "model.safetensors", "half");
  // Of files that were being written; what no run writes stays.
  for (const auto* name : {".model.safetensors.tmp", ".run.json.7-0.tmp", ".notes.tmp"}) {
    write_file(path / name, "half");
  }
  static_cast<void>(RunDirectory::open(path, ExistingRun::resume));
  EXPECT_FALSE(fs::exists(path / ".checkpoint-7.tmp"));
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

TEST_F(Run, OverwritingTakesWhatTheRunWroteAndNothingElse) {
  // A model that no run wrote, and a project.
  const std::vector<std::string> mine{"README.md", "config.json", "model.safetensors", "run.json"};
  fs::create_directories(path / "checkpoint-7");
  for (const auto& name : mine) write_file(path / name, "mine");
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::overwrite), ArgumentError);
  for (const auto& name : mine) EXPECT_EQ(read_file(path / name), "mine");
  EXPECT_TRUE(fs::exists(path / "checkpoint-7"));
  fs::remove_all(path);
  {
    auto run = RunDirectory::open(path, ExistingRun::refuse);
    run.plan("{}", {"tokenizer/vocab.txt"}, [](const fs::path& to) {
      fs::create_directory(to / "tokenizer");
      write_file(to / "tokenizer" / "vocab.txt", "words");
    });
    save(run, 1);
    run.publish(1);
    run.publish_files([](const fs::path& to) {
      fs::create_directories(to / "2_Normalize");
      write_file(to / "modules.json", "[]");
    });
  }
  EXPECT_EQ(read_file(path / "tokenizer" / "vocab.txt"), "words");
  EXPECT_TRUE(fs::is_directory(path / "2_Normalize"));
  for (const auto* name : {"README.md", "tokenizer/notes.txt"}) write_file(path / name, "mine");
  auto over = RunDirectory::open(path, ExistingRun::overwrite);
  EXPECT_EQ(over.checkpoints(), (std::vector<std::int64_t>{1}));  // nothing is removed yet
  over.plan(R"({"seed": 2})");
  over.begin();
  EXPECT_EQ(read_file(path / "run.json"), R"({"seed": 2})");
  EXPECT_EQ(names_in(path), (std::vector<std::string>{".run-lock", "README.md", "run-files.json",
                                                      "run.json", "tokenizer/notes.txt"}));
  save(over, 3);
  over.begin();
  EXPECT_EQ(over.checkpoints(), (std::vector<std::int64_t>{3}));
  // What the run did not write is not replaced by what it publishes.
  EXPECT_THROW(
      over.publish_files([](const fs::path& to) { write_file(to / "README.md", "a card"); }),
      IoError);
  EXPECT_EQ(read_file(path / "README.md"), "mine");
}

TEST_F(Run, WhatIsInTheWayIsNamedBeforeAnythingIsRemoved) {
  {
    auto run = RunDirectory::open(path, ExistingRun::refuse);
    run.plan("{}");
    save(run, 1);
  }
  const auto refused = [&](const std::vector<RunInput>& inputs) {
    const auto over = RunDirectory::open(path, ExistingRun::overwrite);
    EXPECT_THROW(over.require_takeable(inputs, {"README.md"}), ArgumentError);
    EXPECT_TRUE(fs::exists(path / "checkpoint-1" / "model.safetensors"));
  };
  refused({{"model", path}});
  refused({{"vocab", path / "checkpoint-1" / "config.json"}});
  refused({{"train", path / "README.md"}});
  refused({{"text", temporary.path(), true}});
  for (const auto* name : {"README.md", "checkpoint-1/notes.txt"}) {
    write_file(path / name, "mine");
    refused({});
    fs::remove(path / name);
  }
  fs::create_symlink(path, path / "checkpoint-9");
  refused({});
  fs::remove(path / "checkpoint-9");
  const auto over = RunDirectory::open(path, ExistingRun::overwrite);
  write_file(path / "mine.txt", "mine");
  over.require_takeable({{"vocab", path / "mine.txt"}, {"model", temporary.path()}}, {"README.md"});
  over.require_room(1000);
  EXPECT_THROW(over.require_room(std::int64_t{1} << 50), IoError);
}

TEST_F(Run, OneAtATime) {
  auto first = std::make_optional(RunDirectory::open(path, ExistingRun::refuse));
  for (const auto existing : {ExistingRun::refuse, ExistingRun::overwrite}) {
    try {
      static_cast<void>(RunDirectory::open(path, existing));
      ADD_FAILURE() << "two runs in one directory";
    } catch (const IoError& error) {
      EXPECT_NE(std::string(error.what()).find("in use by process " + std::to_string(::getpid())),
                std::string::npos)
          << error.what();
    }
  }
  first.reset();
  EXPECT_FALSE(fs::exists(path));  // it was made for nothing
  static_cast<void>(RunDirectory::open(path, ExistingRun::overwrite));
}

TEST_F(Run, ADirectoryThatIsMovedOrRemovedIsNotMadeAgain) {
  auto run = RunDirectory::open(path, ExistingRun::refuse);
  save(run, 1);
  const auto other = temporary.path() / "other";
  fs::rename(path, other);
  EXPECT_THROW(save(run, 2), IoError);
  EXPECT_THROW(run.publish(1), IoError);
  fs::create_directory(path);
  EXPECT_THROW(save(run, 2), IoError);
  EXPECT_TRUE(fs::is_empty(path));
  fs::remove(path);
  fs::rename(other, path);
  save(run, 2);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{1, 2}));
  fs::remove_all(path);
  EXPECT_THROW(save(run, 3), IoError);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(Run, ARunThatEndedBeforeItsSettingsWereWrittenIsMadeAgain) {
  RunManifest written;
  written.add({"tokenizer/vocab.txt", "run.json"});
  fs::create_directories(path / "tokenizer");
  written.write(path);
  write_file(path / "tokenizer" / ".vocab.txt.1-0.tmp", "half");
  {
    auto again = RunDirectory::open(path, ExistingRun::refuse);
    again.plan("{}");
    again.begin();
    EXPECT_EQ(names_in(path),
              (std::vector<std::string>{".run-lock", "run-files.json", "run.json"}));
  }
  // Not so where there is something to lose.
  fs::remove(path / "run.json");
  write_file(path / "notes.txt", "mine");
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::refuse), ArgumentError);
}

TEST_F(Run, ARunOfAnEarlierVersionIsKnownByItsSettings) {
  fs::create_directories(path / "checkpoint-7");
  fs::create_directories(path / "checkpoint-8");
  fs::create_directories(path / "tensorboard");
  const std::vector<std::string> its{"run.json",
                                     "config.json",
                                     "model-00001-of-00002.safetensors",
                                     "model.safetensors.index.json",
                                     "vocab.txt",
                                     "checkpoint-7/checksums.json",
                                     "checkpoint-7/model.safetensors",
                                     "tensorboard/events.out.tfevents.1.host.2"};
  const std::vector<std::string> mine{"README.md", "checkpoint-8/pytorch_model.bin", "modules.json",
                                      "tensorboard/remarks.txt"};
  for (const auto& name : its) write_file(path / name, "");
  for (const auto& name : mine) write_file(path / name, "mine");
  EXPECT_FALSE(RunManifest::of(path));
  write_file(
      path / "run.json",
      R"({"data-fingerprint": "0", "learning-rate": 1, "max-grad-norm": 1, "save-every": 0})");
  auto written = RunManifest::of(path);
  ASSERT_TRUE(written);
  for (const auto& name : its) EXPECT_TRUE(written->has(name)) << name;
  for (const auto& name : mine) EXPECT_FALSE(written->has(name)) << name;
  written->remove(path, "");
  EXPECT_EQ(names_in(path), mine);
}

TEST_F(Run, AManifestNamesNothingOutside) {
  fs::create_directories(path);
  write_file(temporary.path() / "victim", "mine");
  write_file(path / "run-files.json",
             R"({"files": ["../victim", "/etc/hostname", "a/../../victim"]})");
  const auto written = RunManifest::of(path);
  ASSERT_TRUE(written);
  EXPECT_EQ(written->names().size(), 1U);  // its own
  for (const auto* other : {"", "[]", "{}", R"({"files": 3})", R"({"files": [3]})"}) {
    write_file(path / "run-files.json", other);
    EXPECT_FALSE(RunManifest::of(path)) << other;
  }
}

TEST_F(Run, ADirectoryWithSomethingInItIsRefused) {
  {
    auto run = RunDirectory::open(path, ExistingRun::refuse);
    run.plan(R"({"seed": 3})");
    save(run, 4);
  }
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::refuse), ArgumentError);
  {
    const auto resumed = RunDirectory::open(path, ExistingRun::resume);
    EXPECT_EQ(resumed.settings(), R"({"seed": 3})");
    EXPECT_EQ(resumed.newest_whole(complaints), resumed.checkpoint(4));
  }
  write_file(path / "notes.txt", "mine");
  {
    const auto over = RunDirectory::open(path, ExistingRun::overwrite);
    over.begin();
    EXPECT_TRUE(over.checkpoints().empty());
  }
  EXPECT_EQ(read_file(path / "notes.txt"), "mine");
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::refuse), ArgumentError);  // the notes
  EXPECT_THROW(RunDirectory::open(path, ExistingRun::resume), ArgumentError);
  EXPECT_THROW(RunDirectory::open(path / "notes.txt", ExistingRun::refuse), IoError);
}

}  // namespace
}  // namespace cloze
