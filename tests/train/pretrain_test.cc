// Pre-training by the public function, as a program calls it.
#include "cloze/pretrain.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::read_file;

std::string make_text() {
  const std::vector<std::string> words{"sea", "ship", "storm", "whale", "night", "sail", "wind"};
  std::string text;
  for (std::size_t document = 0; document < 60; ++document) {
    for (std::size_t line = 0; line < 6; ++line) {
      for (std::size_t i = 0; i < 5 + (document + line) % 5; ++i) {
        text += words[(document * 3 + line * i) % words.size()] + ' ';
      }
      text += ".\n";
    }
    text += '\n';
  }
  return text;
}

class Pretrain : public ::testing::Test {
 protected:
  Pretrain() {
    settings.text = {folder.write("text.txt", make_text())};
    settings.vocab_size = 120;
    settings.size = "tiny";
    settings.output = folder / "run";
    settings.steps = 8;
    settings.batch_tokens = 128;
    settings.max_length = 32;
    settings.held_out = 0.1;
    settings.evaluate_every = 4;
    settings.log_every = 4;
    settings.threads = 1;
    settings.precision = Precision::f32;
  }

  testing::TempDirectory folder;
  PretrainSettings settings;
};

TEST_F(Pretrain, MakesAModelFromText) {
  PretrainStart started;
  std::vector<PretrainStep> steps;
  std::vector<PretrainEvaluation> evaluations;
  PretrainCallbacks callbacks;
  callbacks.start = [&](const PretrainStart& start) { started = start; };
  callbacks.step = [&](const PretrainStep& step) { steps.push_back(step); };
  callbacks.evaluation = [&](const PretrainEvaluation& one) { evaluations.push_back(one); };
  const auto result = pretrain(settings, callbacks);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 8);
  EXPECT_GT(started.documents, 40);
  EXPECT_GT(started.parameters, 100'000);
  EXPECT_EQ(started.compute, DType::f32);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[1].tokens, result.tokens);
  ASSERT_EQ(evaluations.size(), 2U);
  ASSERT_TRUE(result.last);
  EXPECT_EQ(result.last->metrics.masked_lm_loss, evaluations[1].metrics.masked_lm_loss);
  EXPECT_GT(result.last->metrics.masked, 0);
  EXPECT_GE(result.best_step, 4);
  const auto tokenizer = Tokenizer::from_pretrained(settings.output);
  EXPECT_GT(
      BertModel::from_pretrained(settings.output)(tokenizer("sea ship")).last_hidden_state.numel(),
      0);
}

TEST_F(Pretrain, AStoppedRunGoesOnWithItsSettings) {
  static_cast<void>(pretrain(settings));
  auto stopped = settings;
  stopped.output = folder / "stopped";
  PretrainCallbacks callbacks;
  std::int64_t looks = 0;
  callbacks.should_stop = [&] { return looks++ == 3; };
  EXPECT_FALSE(pretrain(stopped, callbacks).finished);
  const auto json = nlohmann::json::parse(read_file(folder / "stopped" / "run.json"));
  EXPECT_EQ(json.at("max-time"), "");
  EXPECT_EQ(json.at("documents"), "blank-line");
  EXPECT_EQ(json.at("lines"), "automatic");

  auto saved = pretrain_settings_of(stopped.output);
  EXPECT_EQ(saved.max_seconds, 0);
  EXPECT_EQ(saved.text, settings.text);
  EXPECT_EQ(saved.seed, 42U);
  auto changed = saved;
  changed.seed = 7;
  try {
    static_cast<void>(pretrain(changed));
    FAIL() << "another seed was taken";
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), HasSubstr("seed was 42"));
  }
  EXPECT_TRUE(pretrain(saved).finished);
  EXPECT_EQ(read_file(folder / "stopped" / "checkpoint-8" / "model.safetensors"),
            read_file(folder / "run" / "checkpoint-8" / "model.safetensors"));
}

TEST_F(Pretrain, TheTimeOfARunIsRememberedAndMayChange) {
  settings.max_seconds = 5400;
  PretrainCallbacks callbacks;
  callbacks.should_stop = [] { return true; };
  EXPECT_FALSE(pretrain(settings, callbacks).finished);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "run" / "run.json")).at("max-time"), "90m");
  auto saved = pretrain_settings_of(settings.output);
  EXPECT_EQ(saved.max_seconds, 5400);
  saved.max_seconds = 60;
  std::vector<std::string> messages;
  callbacks.message = [&](MessageKind, const std::string& text) { messages.push_back(text); };
  static_cast<void>(pretrain(saved, callbacks));
  EXPECT_THAT(messages, ::testing::Contains(HasSubstr("max-time was \"90m\", is \"1m\"")));
}

TEST_F(Pretrain, WhatMakesNoRunIsRefused) {
  const auto refused = [&](auto change, const std::string& what) {
    auto chosen = settings;
    change(chosen);
    try {
      static_cast<void>(pretrain(chosen));
      ADD_FAILURE() << what;
    } catch (const ArgumentError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
    EXPECT_FALSE(fs::exists(folder / "run"));
  };
  refused([](auto& s) { s.output.clear(); }, "the output is missing");
  refused([](auto& s) { s.text.clear(); }, "the text is missing");
  refused([](auto& s) { s.vocab_size = 0; }, "a vocabulary is missing");
  refused([](auto& s) { s.steps = 0; }, "an end");
  refused([](auto& s) { s.steps = 0, s.max_seconds = 9, s.warmup_steps = 5; }, "warm-up");
  refused([](auto& s) { s.size = "huge"; }, "huge");
  refused([](auto& s) { s.resume = true; }, "no run to resume");
}

TEST(Seconds, AreReadFromDurations) {
  EXPECT_EQ(seconds_from("90"), 90);
  EXPECT_EQ(seconds_from("90s"), 90);
  EXPECT_EQ(seconds_from("1.5h"), 5400);
  for (const auto* none : {"", "soon", "5d", "nan", "inf", "-1", "0", "1e308h"}) {
    EXPECT_THROW(static_cast<void>(seconds_from(none)), ArgumentError) << none;
  }
}

}  // namespace
}  // namespace cloze
