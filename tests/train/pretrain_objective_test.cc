// Whole runs of pre-training on a text that can be learnt in seconds.
#include "train/pretrain/pretrain_objective.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "checkpoint/finite.h"
#include "cloze/bert.h"
#include "cloze/checkpoint.h"
#include "cloze/error.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTextWords{"sea",  "ship", "storm", "whale", "night", "sail",
                                          "wind", "crew", "gold",  "rope",  "mast",  "tide"};

/// Documents of one word each: what is masked stands beside it.
std::string one_word_documents() {
  std::string text;
  for (std::size_t document = 0; document < 60; ++document) {
    for (std::size_t line = 0; line < 6; ++line) {
      for (std::size_t i = 0; i < 5 + (document + line) % 5; ++i) {
        text += kTextWords[document % kTextWords.size()] + ' ';
      }
      text += ".\n";
    }
    text += '\n';
  }
  return text;
}

std::string text_vocabulary() {
  std::string text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n";
  for (const auto& word : kTextWords) text += word + '\n';
  return text;
}

BertConfig small_config(std::int64_t vocab_size) {
  BertConfig config;
  config.vocab_size = vocab_size;
  config.hidden_size = 32;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 64;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.1;  // so small a model would stay near its start for long
  return config;
}

class Pretraining : public ::testing::Test {
 protected:
  testing::TempDirectory temporary;
  fs::path text = temporary.write("text.txt", one_word_documents());
  fs::path vocabulary = temporary.write("vocab.txt", text_vocabulary());
  Tokenizer tokenizer = Tokenizer::from_pretrained(temporary.path());
  std::shared_ptr<const Corpus> corpus = Corpus::open(std::vector{text});
  std::vector<std::string> notes;
  std::vector<PretrainStep> logged;
  std::vector<PretrainEvaluation> evaluations;
  std::int64_t stop_at = -1;
  std::int64_t max_shard_bytes = internal::kMaxShardBytes;

  static PretrainingDataOptions data(std::int64_t length) {
    PretrainingDataOptions options;
    options.max_length = length;
    options.batch_tokens = 256;
    options.held_out_share = 0.1;
    options.seed = 5;
    return options;
  }

  static PretrainSettings settings(std::int64_t steps) {
    PretrainSettings settings;
    settings.steps = steps;
    settings.learning_rate = 5e-3;
    settings.warmup_ratio = 0.1;
    settings.seed = 3;
    settings.log_every = 5;
    settings.evaluate_every = 10;
    settings.save_every = 7;
    settings.loss_spike = 0;
    return settings;
  }

  internal::PretrainingModel model() const {
    const auto config = small_config(tokenizer.vocab_size());
    internal::RandomWeights weights(config, 1);
    return {config, weights, {}};
  }

  PretrainResult run(internal::PretrainingModel& trained, const RunDirectory& directory,
                     const PretrainSettings& chosen, std::optional<std::int64_t> resume = {},
                     std::vector<PretrainPhase> phases = {{1, data(32)}}) {
    std::int64_t looks = 0;
    PretrainCallbacks listener;
    listener.message = [&](MessageKind, const std::string& note) { notes.push_back(note); };
    listener.should_stop = [&] { return stop_at >= 0 && looks++ >= stop_at; };
    listener.step = [&](const PretrainStep& step) { logged.push_back(step); };
    listener.evaluation = [&](const PretrainEvaluation& one) { evaluations.push_back(one); };
    return run_pretraining({.model = trained,
                            .tokenizer = tokenizer,
                            .corpus = corpus,
                            .phases = std::move(phases),
                            .evaluation = evaluation_set(corpus, tokenizer, data(32)),
                            .max_shard_bytes = max_shard_bytes},
                           directory, chosen,
                           resume ? std::optional(directory.checkpoint(*resume)) : std::nullopt,
                           listener);
  }

  RunDirectory directory(const std::string& name) {
    return RunDirectory::open(temporary.path() / name, ExistingRun::refuse);
  }

  static std::vector<float> values_of(internal::PretrainingModel& trained) {
    const auto values = trained.parameters().values();
    return {values.begin(), values.end()};
  }
};

TEST_F(Pretraining, LearnsWhatStandsBesideTheMask) {
  auto trained = model();
  const auto run_directory = directory("run");
  const auto result = run(trained, run_directory, settings(150));
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 150);
  ASSERT_EQ(evaluations.size(), 15U);
  EXPECT_EQ(logged.back().step, 150);
  EXPECT_NEAR(logged.back().progress, 1, 1e-12);
  EXPECT_GT(logged.front().tokens_per_s, 0);
  // Twelve words, in a text of one each: nothing learnt is near log 12 = 2.5, all learnt near 0.
  EXPECT_GT(evaluations.front().metrics.masked_lm_loss, 1.2);
  ASSERT_TRUE(result.last);
  EXPECT_EQ(result.last->step, 150);
  const auto& last = result.last->metrics;
  EXPECT_LT(last.masked_lm_loss, 0.5);
  EXPECT_GT(last.masked_correct, last.masked * 3 / 4);
  EXPECT_TRUE(fs::exists(run_directory.path() / "model.safetensors"));
  EXPECT_FALSE(fs::is_empty(run_directory.tensorboard()));

  // What was saved is what was trained: the public model's logits, and the trained one's.
  const auto saved = BertForPreTraining::from_pretrained(run_directory.checkpoint(150));
  const auto batch = tokenizer("sea [MASK] night tide");
  const std::vector<std::int32_t> positions{2};
  const auto wanted = trained.predict(batch, positions);
  const auto found = saved(batch, positions).prediction_logits;
  ASSERT_EQ(found.shape(), wanted.shape());
  for (std::size_t i = 0; i < static_cast<std::size_t>(found.numel()); ++i) {
    EXPECT_NEAR(found.values<float>()[i], wanted.values<float>()[i], 1e-4);
  }
}

TEST_F(Pretraining, AStoppedRunGoesOnWithTheSameBits) {
  auto whole = model();
  const auto undisturbed = run(whole, directory("whole"), settings(40));
  for (const std::int64_t at : {1, 13, 20, 39}) {
    const auto name = "stopped" + std::to_string(at);
    auto first = model();
    const auto parts = directory(name);
    stop_at = at;
    const auto stopped = run(first, parts, settings(40));
    stop_at = -1;
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.steps, at);
    std::vector<std::string> complaints;
    EXPECT_EQ(parts.newest_whole(complaints), parts.checkpoint(at));
    auto second = model();
    const auto result = run(second, parts, settings(40), at);
    EXPECT_EQ(values_of(second), values_of(whole)) << at;
    EXPECT_EQ(result.best_step, undisturbed.best_step);
    EXPECT_EQ(result.best_loss, undisturbed.best_loss);
    EXPECT_EQ(result.tokens, undisturbed.tokens);
  }
}

TEST_F(Pretraining, AnOlderCheckpointLeadsToTheSameEnd) {
  auto whole = model(), again = model();
  const auto run_directory = directory("run");
  static_cast<void>(run(whole, run_directory, settings(30)));
  const auto file = run_directory.checkpoint(30) / "model.safetensors";
  fs::resize_file(file, fs::file_size(file) - 1);
  std::vector<std::string> complaints;
  const auto older = run_directory.newest_whole(complaints);
  ASSERT_TRUE(older);
  EXPECT_EQ(complaints.size(), 1U);
  const auto before = checkpoints_in(run_directory.path()).at(1);
  EXPECT_EQ(*older, before.path);
  static_cast<void>(run(again, run_directory, settings(30), before.step));
  EXPECT_EQ(values_of(again), values_of(whole));
}

TEST_F(Pretraining, TheSecondPhaseHasLongerSequences) {
  auto whole = model();
  const std::vector<PretrainPhase> phases{{0.5, data(32)}, {1, data(64)}};
  static_cast<void>(run(whole, directory("run"), settings(20), {}, phases));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("step 10"), std::string::npos);
  EXPECT_NE(notes[0].find("64"), std::string::npos);
  // A stop in the second phase goes on there.
  auto parts = model();
  const auto stopped = directory("stopped");
  stop_at = 15;
  static_cast<void>(run(parts, stopped, settings(20), {}, phases));
  stop_at = -1;
  auto rest = model();
  static_cast<void>(run(rest, stopped, settings(20), 15, phases));
  EXPECT_EQ(values_of(rest), values_of(whole));
}

TEST_F(Pretraining, WeightsThatAreNoNumbersAreNotSaved) {
  auto trained = model();
  const auto run_directory = directory("run");
  auto chosen = settings(20);
  chosen.log_every = 1;
  // Spoilt from the start: the first loss is not finite, and there is no good state.
  trained.parameters().at("cls.predictions.bias").value[7] =
      std::numeric_limits<float>::quiet_NaN();
  trained.parameters_changed();
  EXPECT_THROW(
      {
        try {
          static_cast<void>(run(trained, run_directory, chosen));
        } catch (const ModelError& error) {
          EXPECT_NE(std::string(error.what()).find("cls.predictions.bias"), std::string::npos)
              << error.what();
          EXPECT_NE(std::string(error.what()).find("no good state was saved"), std::string::npos);
          throw;
        }
      },
      ModelError);
  std::vector<std::string> complaints;
  EXPECT_FALSE(run_directory.newest_whole(complaints));
  EXPECT_TRUE(run_directory.checkpoints().empty());
}

TEST_F(Pretraining, AStepThatSpoilsTheWeightsNamesTheLastGoodState) {
  auto trained = model();
  const auto run_directory = directory("run");
  auto chosen = settings(20);
  chosen.save_every = 1;
  chosen.keep = 1;
  chosen.log_every = 1;
  chosen.evaluate_every = 0;
  stop_at = 3;
  static_cast<void>(run(trained, run_directory, chosen));
  stop_at = -1;
  chosen.learning_rate = 1e25;
  chosen.warmup_ratio = 0;
  chosen.optimizer.weight_decay = 1e25;
  chosen.loss_spike = 0;
  try {
    static_cast<void>(run(trained, run_directory, chosen, 3));
    FAIL() << "nothing was spoilt";
  } catch (const ModelError& error) {
    const auto good = checkpoints_in(run_directory.path()).at(0).path;
    EXPECT_NE(std::string(error.what()).find(good.string()), std::string::npos) << error.what();
    const auto saved = Checkpoint::open(good);
    for (const auto& name : saved.names()) EXPECT_TRUE(all_finite(saved.tensor(name))) << name;
  }
}

TEST_F(Pretraining, AFinishedRunThatIsResumedTellsItsFigures) {
  auto first = model(), again = model();
  const auto run_directory = directory("run");
  const auto whole = run(first, run_directory, settings(20));
  evaluations.clear();
  const auto same = run(again, run_directory, settings(20), 20);
  EXPECT_TRUE(evaluations.empty());
  ASSERT_TRUE(same.last && whole.last && same.training && whole.training);
  EXPECT_EQ(same.last->step, 20);
  EXPECT_EQ(same.last->metrics.masked_lm_loss, whole.last->metrics.masked_lm_loss);
  EXPECT_EQ(same.training->loss(), whole.training->loss());
  EXPECT_EQ(same.best_step, whole.best_step);
}

TEST_F(Pretraining, ARunThatWasStoppedEarlyHasNoEvaluation) {
  auto trained = model();
  stop_at = 1;
  const auto result = run(trained, directory("run"), settings(20));
  EXPECT_FALSE(result.last);
  EXPECT_EQ(result.best_step, -1);
}

TEST_F(Pretraining, WeightsInSeveralFilesAreTakenUp) {
  max_shard_bytes = 20'000;
  auto whole = model();
  static_cast<void>(run(whole, directory("whole"), settings(20)));
  auto first = model(), second = model();
  const auto parts = directory("parts");
  stop_at = 10;
  static_cast<void>(run(first, parts, settings(20)));
  stop_at = -1;
  EXPECT_TRUE(fs::exists(parts.checkpoint(10) / "model.safetensors.index.json"));
  EXPECT_TRUE(fs::exists(parts.path() / "model.safetensors.index.json"));
  static_cast<void>(run(second, parts, settings(20), 10));
  EXPECT_EQ(values_of(second), values_of(whole));
  EXPECT_NO_THROW(static_cast<void>(BertForPreTraining::from_pretrained(parts.path())));
}

TEST_F(Pretraining, ALossThatLeapsStopsTheRun) {
  auto trained = model();
  const auto run_directory = directory("run");
  auto chosen = settings(400);
  chosen.learning_rate = 30;  // certain to leap
  chosen.warmup_ratio = 0.5;
  chosen.loss_spike = 1.5;
  chosen.evaluate_every = 0;
  try {
    static_cast<void>(run(trained, run_directory, chosen));
    FAIL() << "no leap was noticed";
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("leapt"), std::string::npos) << error.what();
  }
  std::vector<std::string> complaints;
  const auto newest = run_directory.newest_whole(complaints);
  ASSERT_TRUE(newest);
  const auto saved = Checkpoint::open(*newest);
  for (const auto& name : saved.names()) ASSERT_TRUE(all_finite(saved.tensor(name))) << name;
}

TEST_F(Pretraining, ATimeLimitEndsTheRunAndItsSchedule) {
  auto trained = model();
  auto chosen = settings(0);
  chosen.max_seconds = 1;
  chosen.evaluate_every = 0;
  const auto result = run(trained, directory("run"), chosen);
  EXPECT_TRUE(result.finished);
  EXPECT_GE(result.seconds, 1);
  EXPECT_LT(result.seconds, 20);
  EXPECT_LT(logged.back().learning_rate, 0.2 * chosen.learning_rate);
}

TEST_F(Pretraining, SettingsThatMakeNoSenseAreRefused) {
  auto trained = model();
  const auto run_directory = directory("run");
  const auto refused = [&](auto change) {
    auto chosen = settings(5);
    change(chosen);
    EXPECT_THROW(static_cast<void>(run(trained, run_directory, chosen)), ArgumentError);
  };
  refused([](auto& s) { s.steps = 0; });
  refused([](auto& s) { s.accumulation = 0; });
  refused([](auto& s) { s.learning_rate = -1; });
  refused([](auto& s) { s.warmup_ratio = 2; });
  refused([](auto& s) { s.keep = 0; });
  refused([](auto& s) { s.log_every = 0; });
  EXPECT_THROW(static_cast<void>(run(trained, run_directory, settings(5), {}, {{0.5, data(32)}})),
               ArgumentError);
  // Longer than the model reads.
  EXPECT_THROW(static_cast<void>(run(trained, run_directory, settings(5), {}, {{1, data(128)}})),
               ModelError);
}

TEST_F(Pretraining, EvaluationsThatAreMoreThan32BitsApartAreNeverDue) {
  auto trained = model();
  const auto run_directory = directory("run");
  auto chosen = settings(3);
  chosen.evaluate_every = (std::int64_t{1} << 32) + 1;
  static_cast<void>(run(trained, run_directory, chosen));
  ASSERT_EQ(evaluations.size(), 1U);  // at the end
  for (const auto& entry : fs::directory_iterator(run_directory.tensorboard())) {
    EXPECT_EQ(testing::read_file(entry.path()).find("gradients/"), std::string::npos);
  }
}

TEST_F(Pretraining, StatesAreReadBackAndBadOnesRefused) {
  PretrainState state;
  state.step = 7;
  state.tokens = 99;
  state.seconds = 1.5;
  state.average_loss = 2.25;
  state.phase = 1;
  state.position = {.epoch = 2, .unit = 3, .sequence = 4};
  state.best_step = 5;
  state.best_loss = 0.1;
  const auto read = PretrainState::from_json(state.to_json(), "state");
  EXPECT_EQ(read.to_json(), state.to_json());
  EXPECT_EQ(read.position, state.position);
  for (const auto* bad : {"", "[]", "{}", R"({"step": "x"})"}) {
    EXPECT_THROW(static_cast<void>(PretrainState::from_json(bad, "state")), FormatError) << bad;
  }
}

}  // namespace
}  // namespace cloze
