// A run's directory that is not as the run left it: run.json, the trainer's state, the optimizer's
// and the checkpoint's files. What comes of it is a cloze::Error that names the file, or the run goes
// on from what is whole; and what lies in the directory stays there.
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/finetune.h"
#include "cloze/pretrain.h"
#include "core/bad_input.h"
#include "core/temp_directory.h"
#include "places.h"
#include "train/directory_contents.h"
#include "train/finetune/finetune_objective.h"
#include "train/pretrain/pretrain_objective.h"
#include "train/run/run_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::contents_of;
using testing::for_each_wrong;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kLongestWithPath;
using testing::read_file;
using testing::refusal;
using testing::refuses;
using testing::write_file;

fs::path golden(const std::string& name) {
  return fs::path(kSourceDir) / "tests" / "goldens" / name;
}

/// The files that are not as they were.
std::vector<std::string> lost_or_changed(const std::map<std::string, std::string>& before,
                                         const fs::path& directory) {
  const auto after = contents_of(directory);
  std::vector<std::string> names;
  for (const auto& [name, content] : before) {
    const auto found = after.find(name);
    if (found == after.end() || found->second != content) names.push_back(name);
  }
  return names;
}

/// A run that was stopped after three steps, of which each test takes a copy.
class BadRun : public ::testing::Test {
 protected:
  /// Ends a run before its next step.
  template <class Callbacks>
  static Callbacks stopped_after(std::int64_t steps) {
    Callbacks callbacks;
    callbacks.should_stop = [looks = std::int64_t{0}, steps]() mutable { return looks++ == steps; };
    return callbacks;
  }

  /// `directory` as the run left it.
  void restore() const {
    fs::remove_all(run());
    fs::copy(folder / "pristine", run(), fs::copy_options::recursive);
  }
  [[nodiscard]] fs::path run() const { return folder / "run"; }
  [[nodiscard]] fs::path checkpoint() const { return run() / "checkpoint-3"; }

  /// Replaces a file of the checkpoint, whose checksums then hold: what damage cannot do, but an
  /// editor can.
  void replace_in_checkpoint(std::string_view name, const std::string& content) const {
    const auto directory = RunDirectory::open(run(), ExistingRun::resume);
    fs::rename(checkpoint(), folder / "old");
    directory.save(3, [&](const fs::path& to) {
      for (const auto& entry : fs::directory_iterator(folder / "old")) {
        if (entry.path().filename() != kChecksumFile) {
          fs::copy(entry.path(), to / entry.path().filename());
        }
      }
      write_file(to / name, content);
    });
    fs::remove_all(folder / "old");
  }

  /// Each wrong variant of run.json: an error that says in which file, and nothing is changed; or
  /// the run goes on.
  void try_settings(const std::function<void()>& resume) const {
    const auto file = run() / "run.json";
    const auto valid = json::parse(read_file(file));
    int refused = 0;
    for_each_wrong(valid, [&](const std::string& text) {
      write_file(file, text);
      const auto before = contents_of(run());
      const auto message = refusal(resume, "run.json: " + text.substr(0, 200), kLongestWithPath);
      if (message.empty()) return restore();
      ++refused;
      EXPECT_THAT(lost_or_changed(before, run()), IsEmpty()) << message;
    });
    EXPECT_GT(refused, 300);
    restore();
    for (const auto* broken : {"{", "[]", "\xFF", R"({"seed": "three"})", R"({"keep": 1.5})"}) {
      write_file(file, broken);
      EXPECT_THAT(refusal(resume, broken), HasSubstr(file.string())) << broken;
    }
    fs::remove(file);
    EXPECT_THAT(refusal(resume, "no run.json"), HasSubstr(run().string()));
    fs::create_directory(file);
    EXPECT_THAT(refusal(resume, "a directory run.json"), HasSubstr(file.string()));
    restore();
    EXPECT_NO_THROW(resume());
    restore();
  }

  /// The newest checkpoint with files that are cut, missing or something else: the run goes on from
  /// the one before. Without one it is refused, and stays as it is.
  void try_damage(const std::function<void()>& resume) const {
    for (const auto& entry : fs::directory_iterator(folder / "pristine" / "checkpoint-3")) {
      const auto name = entry.path().filename();
      const auto file = checkpoint() / name;
      const auto content = read_file(file);
      const std::vector<std::function<void()>> damages{
          [&] { write_file(file, content.substr(0, content.size() / 2)); },
          [&] { write_file(file, ""); },
          [&] { write_file(file, std::string(content.size(), '\xFF')); },
          [&] { fs::remove(file); },
          [&] {
            fs::remove(file);
            fs::create_directory(file);
          },
      };
      for (const auto& damage : damages) {
        damage();
        EXPECT_FALSE(refuses(resume, name.string())) << name;
        restore();
        // The one before it is gone, too.
        fs::remove_all(run() / "checkpoint-2");
        damage();
        const auto before = contents_of(run());
        EXPECT_THAT(refusal(resume, name.string(), kLongestWithPath),
                    HasSubstr("no whole checkpoint"));
        EXPECT_THAT(lost_or_changed(before, run()), IsEmpty()) << name;
        restore();
      }
      // Where the checksums hold, what is inside is looked at.
      if (name == kChecksumFile || name == "README.md") continue;
      for (const auto& broken : {std::string(), content.substr(0, content.size() / 2),
                                 std::string(content.size(), '\xFF')}) {
        replace_in_checkpoint(name.string(), broken);
        const auto before = contents_of(run());
        if (refuses(resume, name.string() + " with right checksums")) {
          EXPECT_THAT(lost_or_changed(before, run()), IsEmpty()) << name;
        }
        restore();
      }
    }
  }

  testing::TempDirectory folder;
};

class BadFinetuneRun : public BadRun {
 protected:
  BadFinetuneRun() {
    std::string table;
    for (int i = 0; i < 24; ++i) table += i % 2 == 0 ? "the dog\tgood\n" : "a cat sat\tpoor\n";
    FinetuneSettings settings;
    settings.task = "text-classification";
    settings.model = golden("bare_odd").string();
    settings.train = folder.write("train.tsv", table);
    settings.dev = settings.train;
    settings.output = run();
    settings.batch_size = 8;
    settings.evaluate_every = 2;
    settings.threads = 1;
    settings.precision = Precision::f32;
    EXPECT_FALSE(finetune(settings, stopped_after<FinetuneCallbacks>(3)).finished);
    fs::copy(run(), folder / "pristine", fs::copy_options::recursive);
  }

  void resume() const {
    static_cast<void>(finetune(finetune_settings_of(run()), stopped_after<FinetuneCallbacks>(0)));
  }
};

TEST_F(BadFinetuneRun, Settings) {
  try_settings([&] { resume(); });
}

TEST_F(BadFinetuneRun, Damage) {
  try_damage([&] { resume(); });
}

TEST_F(BadFinetuneRun, TrainersState) {
  const auto valid = json::parse(read_file(checkpoint() / kTrainerStateFile));
  int refused = 0;
  for_each_wrong(valid, [&](const std::string& text) {
    const auto message = refusal([&] { static_cast<void>(FinetuneState::from_json(text, "FILE")); },
                                 text.substr(0, 200));
    if (message.empty()) return;
    ++refused;
    EXPECT_THAT(message, HasSubstr("FILE"));
  });
  EXPECT_GT(refused, 200);
  EXPECT_EQ(FinetuneState::from_json(valid.dump(), "FILE").to_json(),
            read_file(checkpoint() / kTrainerStateFile));
  // A state of another step, and steps that no run has.
  for (const auto& [field, value] :
       {std::pair<const char*, json>{"step", 2}, {"step", -1}, {"step", 1e300}}) {
    auto changed = valid;
    changed[field] = value;
    fs::remove_all(run() / "checkpoint-2");
    replace_in_checkpoint(kTrainerStateFile, changed.dump());
    const auto before = contents_of(run());
    EXPECT_THAT(refusal([&] { resume(); }, field), HasSubstr("trainer_state.json"));
    EXPECT_THAT(lost_or_changed(before, run()), IsEmpty());
    restore();
  }
}

class BadPretrainRun : public BadRun {
 protected:
  BadPretrainRun() {
    std::string text;
    for (int i = 0; i < 20; ++i) text += "the dog saw a cat .\na cat sat .\nthe dogs ran .\n\n";
    PretrainSettings settings;
    settings.text = {folder.write("text.txt", text)};
    settings.init = golden("pretraining").string();
    settings.output = run();
    settings.steps = 8;
    settings.batch_tokens = 64;
    settings.max_length = 16;
    settings.held_out = 0.2;
    settings.evaluate_every = 2;
    settings.threads = 1;
    settings.data_workers = 0;
    settings.precision = Precision::f32;
    EXPECT_FALSE(pretrain(settings, stopped_after<PretrainCallbacks>(3)).finished);
    fs::copy(run(), folder / "pristine", fs::copy_options::recursive);
  }

  void resume() const {
    static_cast<void>(pretrain(pretrain_settings_of(run()), stopped_after<PretrainCallbacks>(0)));
  }
};

TEST_F(BadPretrainRun, Settings) {
  try_settings([&] { resume(); });
}

TEST_F(BadPretrainRun, Damage) {
  try_damage([&] { resume(); });
}

TEST_F(BadPretrainRun, TrainersState) {
  const auto valid = json::parse(read_file(checkpoint() / kTrainerStateFile));
  int refused = 0;
  for_each_wrong(valid, [&](const std::string& text) {
    const auto message = refusal([&] { static_cast<void>(PretrainState::from_json(text, "FILE")); },
                                 text.substr(0, 200));
    if (message.empty()) return;
    ++refused;
    EXPECT_THAT(message, HasSubstr("FILE"));
  });
  EXPECT_GT(refused, 100);
  for (const auto& [place, value] :
       {std::pair<const char*, json>{"/step", 2},
        {"/phase", 7},
        {"/phase", -1},
        {"/position/unit", 1'000'000},
        {"/position/epoch", std::numeric_limits<std::int64_t>::max()}}) {
    auto changed = valid;
    changed[json::json_pointer(place)] = value;
    fs::remove_all(run() / "checkpoint-2");
    replace_in_checkpoint(kTrainerStateFile, changed.dump());
    const auto before = contents_of(run());
    EXPECT_THAT(refusal([&] { resume(); }, place), HasSubstr("trainer_state.json")) << place;
    EXPECT_THAT(lost_or_changed(before, run()), IsEmpty());
    restore();
  }
}

}  // namespace
}  // namespace cloze
