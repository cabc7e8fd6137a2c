// What the public functions promise of a run's directory: one run at a time, and an earlier run
// that stays until everything about the new one is known to be right.
#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloze/error.h"
#include "cloze/finetune.h"
#include "cloze/pretrain.h"
#include "core/temp_directory.h"
#include "train/directory_contents.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using testing::contents_of;
using ::testing::HasSubstr;
using testing::read_file;

class RunSafety : public ::testing::Test {
 protected:
  RunSafety() {
    std::string table, text;
    for (int i = 0; i < 24; ++i) table += i % 2 == 0 ? "calm sea\tgood\n" : "wild sea\tpoor\n";
    for (int i = 0; i < 20; ++i) text += "calm sea .\nwild storm .\ncalm night .\n\n";
    finetuning.task = "text-classification";
    finetuning.size = "tiny";
    finetuning.vocab = folder.write(
        "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncalm\nwild\nsea\nstorm\nnight\n.\n");
    finetuning.train = folder.write("train.tsv", table);
    finetuning.dev = finetuning.train;
    finetuning.steps = 2;
    pretraining.text = {folder.write("text.txt", text)};
    pretraining.vocab = finetuning.vocab;
    pretraining.size = "tiny";
    pretraining.steps = 2;
    pretraining.max_length = 16;
    pretraining.batch_tokens = 64;
    pretraining.held_out = 0.2;
    for (TrainingSettings* settings :
         std::initializer_list<TrainingSettings*>{&finetuning, &pretraining}) {
      settings->output = folder / "run";
      settings->threads = 1;
      settings->precision = Precision::f32;
    }
  }

  testing::TempDirectory folder;
  FinetuneSettings finetuning;
  PretrainSettings pretraining;
};

TEST_F(RunSafety, OneRunAtATime) {
  // From the first step of one run others are begun in its directory, by other threads.
  std::atomic<int> refused{0};
  FinetuneCallbacks callbacks;
  bool tried = false;
  callbacks.should_stop = [&] {
    if (tried) return false;
    tried = true;
    std::vector<std::thread> others;
    const auto try_run = [&](auto run) {
      others.emplace_back([&refused, run]() mutable {
        try {
          run();
        } catch (const IoError& error) {
          EXPECT_THAT(error.what(), HasSubstr("is in use by process"));
          ++refused;
        }
      });
    };
    try_run([this] { static_cast<void>(finetune(finetuning)); });
    try_run([settings = finetuning]() mutable {
      settings.overwrite = true;
      static_cast<void>(finetune(settings));
    });
    try_run([settings = pretraining]() mutable {
      settings.overwrite = true;
      static_cast<void>(pretrain(settings));
    });
    for (auto& other : others) other.join();
    return false;
  };
  EXPECT_TRUE(finetune(finetuning, callbacks).finished);
  EXPECT_EQ(refused, 3);
  EXPECT_FALSE(fs::exists(folder / "run" / ".run-lock"));
  EXPECT_EQ(finetune_settings_of(folder / "run").steps, 2);
}

TEST_F(RunSafety, OfTwoBegunAtOnceOneGoesOn) {
  for (int round = 0; round < 10; ++round) {
    fs::remove_all(folder / "run");
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      threads.emplace_back([&, settings = finetuning, seed]() mutable {
        settings.seed = seed;
        settings.steps = 1;
        try {
          static_cast<void>(finetune(settings));
          ++ended;
        } catch (const Error&) {
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(ended, 1);
  }
}

TEST_F(RunSafety, EverythingIsLookedAtBeforeAnythingIsRemoved) {
  static_cast<void>(finetune(finetuning));
  const auto before = contents_of(folder / "run");
  finetuning.overwrite = pretraining.overwrite = true;
  const auto refused = [&](const auto& run, auto settings, const auto& change) {
    change(settings);
    EXPECT_THROW(static_cast<void>(run(settings)), Error);
    EXPECT_EQ(before, contents_of(folder / "run"));
  };
  const auto tune = [](const auto& settings) { return finetune(settings); };
  const auto train = [](const auto& settings) { return pretrain(settings); };
  refused(tune, finetuning, [](auto& s) { s.best_metric = "f2"; });
  refused(tune, finetuning, [](auto& s) { s.class_weights = {1, 2, 3}; });
  refused(tune, finetuning, [](auto& s) { s.learning_rate = -1; });
  refused(tune, finetuning, [](auto& s) { s.vocab = s.output / "vocab.txt"; });
  refused(tune, finetuning, [](auto& s) { s.train = s.output / "README.md"; });
  refused(tune, finetuning, [](auto& s) { s.model = s.output.string(), s.size.clear(); });
  refused(train, pretraining, [](auto& s) { s.vocab = "nowhere.txt"; });
  refused(train, pretraining, [](auto& s) { s.init = s.output.string(), s.vocab.clear(); });
  refused(train, pretraining, [](auto& s) { s.max_length = 1000; });
  refused(train, pretraining, [&](auto& s) { s.dev = {folder.write("empty.txt", "")}; });
  refused(train, pretraining, [&](auto& s) { s.text = {folder.path()}; });
  // And with nothing wrong it is replaced.
  EXPECT_TRUE(pretrain(pretraining).finished);
  EXPECT_FALSE(fs::exists(folder / "run" / "README.md"));
  EXPECT_EQ(pretrain_settings_of(folder / "run").vocab, pretraining.vocab);
}

TEST_F(RunSafety, TheEarlierRunStaysUntilTheFirstStepIsComputed) {
  static_cast<void>(finetune(finetuning));
  const auto before = contents_of(folder / "run");
  finetuning.overwrite = true;
  FinetuneCallbacks callbacks;
  bool looked = false;
  callbacks.start = [&](const FinetuneStart&) {
    auto now = contents_of(folder / "run");
    EXPECT_EQ(now.erase(".run-lock"), 1U);
    EXPECT_EQ(before, now);
    looked = true;
    throw Cancelled("by the caller");
  };
  EXPECT_THROW(static_cast<void>(finetune(finetuning, callbacks)), Cancelled);
  EXPECT_TRUE(looked);
  EXPECT_EQ(before, contents_of(folder / "run"));
}

}  // namespace
}  // namespace cloze
