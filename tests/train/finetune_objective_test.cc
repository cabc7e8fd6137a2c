// Whole runs of fine-tuning on a task that can be learnt in seconds.
#include "train/finetune/finetune_objective.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "core/temp_directory.h"
#include "train/finetune/task_data.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> neutral{"sea", "ship", "storm", "night", "sail", "wind", "crew"};

/// Sentences whose first word decides the label.
std::string make_examples(std::size_t count, std::size_t shift) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const bool good = (i * 7 + shift) % 3 == 0;
    text += good ? "calm" : "wild";
    for (std::size_t word = 0; word < 1 + (i + shift) % 5; ++word) {
      text += ' ' + neutral[(i * 5 + word + shift) % neutral.size()];
    }
    text += good ? "\tgood\n" : "\tpoor\n";
  }
  return text;
}

std::string make_vocabulary() {
  std::string text = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncalm\nwild\n";
  for (const auto& word : neutral) text += word + '\n';
  return text;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class FineTuning : public ::testing::Test {
 protected:
  testing::TempDirectory temporary;
  fs::path vocabulary = temporary.write("vocab.txt", make_vocabulary());
  fs::path train_file = temporary.write("train.tsv", make_examples(60, 0));
  fs::path dev_file = temporary.write("dev.tsv", make_examples(20, 1));
  Tokenizer tokenizer = Tokenizer::from_pretrained(temporary.path());
  BertConfig config = small_config();
  std::unique_ptr<Task> task = make_task("text-classification", tokenizer, config, {}, false);
  std::unique_ptr<TaskData> train = task->read_train(train_file);
  std::unique_ptr<TaskData> dev = task->read_eval(dev_file);
  std::vector<FinetuneStep> logged;
  std::vector<FinetuneEvaluation> evaluations;
  std::vector<std::string> notes;
  std::int64_t stop_at = -1;

  BertConfig small_config() const {
    BertConfig small;
    small.vocab_size = tokenizer.vocab_size();
    small.hidden_size = 32;
    small.num_hidden_layers = 2;
    small.num_attention_heads = 2;
    small.intermediate_size = 64;
    small.max_position_embeddings = 32;
    small.initializer_range = 0.1;  // so small a model would stay near its start for long
    return small;
  }

  static FinetuneSettings settings() {
    FinetuneSettings settings;
    settings.epochs = 5;
    settings.batch_size = 8;
    settings.learning_rate = 5e-3;
    settings.seed = 3;
    settings.log_every = 4;
    return settings;
  }

  internal::TaskModel model(const internal::TaskModelOptions& options = {}) {
    task->configure(config);
    internal::RandomWeights weights(config, 1);
    return {config, weights, options, 1};
  }

  FinetuneResult run(internal::TaskModel& trained, const RunDirectory& directory,
                     const FinetuneSettings& chosen, std::optional<std::int64_t> resume = {},
                     bool evaluated = true) {
    std::int64_t looks = 0;
    FinetuneCallbacks listener;
    listener.step = [&](const FinetuneStep& step) { logged.push_back(step); };
    listener.evaluation = [&](const FinetuneEvaluation& one) { evaluations.push_back(one); };
    listener.message = [&](MessageKind, const std::string& note) { notes.push_back(note); };
    listener.should_stop = [&] { return stop_at >= 0 && looks++ >= stop_at; };
    return run_finetuning({.model = trained,
                           .task = *task,
                           .tokenizer = tokenizer,
                           .train = *train,
                           .dev = evaluated ? dev.get() : nullptr,
                           .base_model = "nothing",
                           .train_name = "train.tsv",
                           .dev_name = "dev.tsv"},
                          directory, chosen,
                          resume ? std::optional(directory.checkpoint(*resume)) : std::nullopt,
                          listener);
  }

  RunDirectory directory(const std::string& name) {
    return RunDirectory::open(temporary.path() / name, ExistingRun::refuse);
  }

  static std::vector<float> values_of(internal::TaskModel& trained) {
    const auto values = trained.parameters().values();
    return {values.begin(), values.end()};
  }
};

TEST_F(FineTuning, LearnsTheTaskAndSavesTheBest) {
  auto trained = model();
  const auto output = directory("run");
  const auto result = run(trained, output, settings());
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 40);  // 60 examples in batches of 8, five times
  EXPECT_NEAR(result.epochs, 5, 1e-12);
  ASSERT_EQ(evaluations.size(), 5U);
  const auto* best = result.best();
  ASSERT_NE(best, nullptr);
  EXPECT_EQ(best->metrics.front().first, "accuracy");
  EXPECT_EQ(best->metrics.front().second, 1.0);
  EXPECT_EQ(logged.back().step, 40);
  EXPECT_LT(logged.back().loss, 0.2);
  EXPECT_NEAR(logged.back().progress, 1, 1e-12);
  EXPECT_FALSE(fs::is_empty(output.tensorboard()));

  // What lies in the directory is the best model, with its card.
  const auto saved = BertForSequenceClassification::from_pretrained(output.path());
  EXPECT_EQ(saved.config().id2label, (std::vector<std::string>{"good", "poor"}));
  const auto logits = saved(tokenizer("calm sea night"));
  EXPECT_GT(logits.values<float>()[0], logits.values<float>()[1]);
  const auto card = text_of(output.path() / "README.md");
  for (const auto* said : {"train.tsv", "60 examples", "accuracy", "learning rate", "`good`"}) {
    EXPECT_NE(card.find(said), std::string::npos) << said;
  }
}

TEST_F(FineTuning, StoppedAndResumedEndsWithTheSameBits) {
  auto whole = model();
  const auto straight = run(whole, directory("whole"), settings());
  for (const std::int64_t stop : {3, 8, 21}) {
    auto first = model();
    const auto output = directory("stopped" + std::to_string(stop));
    stop_at = stop;
    EXPECT_FALSE(run(first, output, settings()).finished);
    stop_at = -1;
    std::vector<std::string> complaints;
    ASSERT_EQ(output.newest_whole(complaints), output.checkpoint(stop));
    auto second = model();
    const auto result = run(second, output, settings(), stop);
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(values_of(second), values_of(whole));
    ASSERT_EQ(result.evaluations.size(), straight.evaluations.size());
    for (std::size_t i = 0; i < result.evaluations.size(); ++i) {
      const auto& got = result.evaluations[i];
      const auto& wanted = straight.evaluations[i];
      EXPECT_EQ(got.loss, wanted.loss);
      EXPECT_EQ(got.train_loss, wanted.train_loss);
      EXPECT_EQ(got.metrics, wanted.metrics);
      EXPECT_EQ(got.best, wanted.best);
    }
  }
}

TEST_F(FineTuning, ARunResumesFromAModelInSeveralFiles) {
  auto whole = model();
  static_cast<void>(run(whole, directory("whole"), settings()));
  auto first = model();
  const auto output = directory("stopped");
  stop_at = 3;
  static_cast<void>(run(first, output, settings()));
  stop_at = -1;
  const auto checkpoint = output.checkpoint(3);
  save_checkpoint(checkpoint, first.parameters().tensors(), 4096);
  ASSERT_FALSE(fs::exists(checkpoint / "model.safetensors"));
  auto second = model();
  static_cast<void>(run(second, output, settings(), 3));
  EXPECT_EQ(values_of(second), values_of(whole));
}

TEST_F(FineTuning, AnErrorIsBetterWhereThereIsLessOfIt) {
  std::string rows;
  for (std::size_t i = 0; i < 24; ++i) {
    rows += (i % 3 == 0 ? "calm " : "wild ") + neutral[i % neutral.size()] + '\t' +
            std::to_string(i % 3 == 0 ? 1.0 : -1.0) + '\n';
  }
  const auto file = temporary.write("values.tsv", rows);
  task = make_task("regression", tokenizer, config, {}, false);
  train = task->read_train(file);
  dev = task->read_eval(file);
  auto trained = model({.loss = internal::TaskLoss::mean_squared_error});
  auto chosen = settings();
  chosen.best_metric = "mse";
  const auto result = run(trained, directory("mse"), chosen);
  double least = std::numeric_limits<double>::infinity();
  for (const auto& evaluation : result.evaluations) {
    const auto mse = evaluation.metrics.at(2);
    ASSERT_EQ(mse.first, "mse");
    EXPECT_EQ(evaluation.best, mse.second < least);
    least = std::min(least, mse.second);
  }
  EXPECT_LT(result.best()->metrics.at(2).second, result.evaluations.front().metrics.at(2).second);
}

TEST_F(FineTuning, AccumulationAndPartsAreOneLargeBatch) {
  auto chosen = settings();
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  chosen.steps = 6;
  const auto values_with = [&](std::int64_t batch, std::int64_t accumulation, std::int64_t tokens) {
    chosen.batch_size = batch;
    chosen.accumulation = accumulation;
    chosen.batch_tokens = tokens;
    auto trained = model();
    static std::int64_t number = 0;
    static_cast<void>(
        run(trained, directory("parts" + std::to_string(number++)), chosen, {}, false));
    return values_of(trained);
  };
  const auto large = values_with(16, 1, 4096);
  for (const auto& parts : {values_with(4, 4, 4096), values_with(16, 1, 20)}) {
    double difference = 0;
    for (std::size_t i = 0; i < large.size(); ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(large[i]) - parts[i]));
    }
    EXPECT_LT(difference, 1e-4);
  }
}

TEST_F(FineTuning, FrozenParametersKeepTheirBits) {
  auto before = model();
  auto trained = model({.freeze_layers = 1});
  const auto output = directory("frozen");
  auto chosen = settings();
  chosen.epochs = 1;
  chosen.layer_decay = 0.5;
  static_cast<void>(run(trained, output, chosen));
  for (const auto& parameter : trained.parameters().all()) {
    const auto& name = parameter.name;
    const bool frozen =
        name.starts_with("bert.embeddings.") || name.starts_with("bert.encoder.layer.0.");
    const auto& old = before.parameters().at(name).value;
    EXPECT_EQ(std::equal(old.begin(), old.end(), parameter.value.begin()), frozen) << name;
  }
  // And they have no optimizer's state.
  const auto state =
      Checkpoint::open(output.checkpoint(output.checkpoints().back()) / kOptimizerFile);
  EXPECT_FALSE(state.contains("bert.embeddings.word_embeddings.weight.exp_avg"));
  EXPECT_TRUE(state.contains("bert.encoder.layer.1.output.dense.weight.exp_avg"));
}

TEST_F(FineTuning, LowerLayersLearnSlower) {
  auto trained = model({.freeze_embeddings = true});
  set_layer_rates(trained.parameters(), 2, 0.5);
  const auto rate = [&](const std::string& name) { return trained.parameters().at(name).rate; };
  EXPECT_EQ(rate("classifier.weight"), 1);
  EXPECT_EQ(rate("bert.pooler.dense.bias"), 1);
  EXPECT_EQ(rate("bert.encoder.layer.1.output.dense.weight"), 0.5);
  EXPECT_EQ(rate("bert.encoder.layer.0.output.dense.weight"), 0.25);
  EXPECT_EQ(rate("bert.embeddings.LayerNorm.weight"), 0);
  auto open = model();
  set_layer_rates(open.parameters(), 2, 0.5);
  EXPECT_EQ(open.parameters().at("bert.embeddings.LayerNorm.weight").rate, 0.125);

  // AdamW's first step is the learning rate times the sign of the gradient, whatever its size.
  internal::TaskModel plain = model();
  set_layer_rates(plain.parameters(), 2, 0.5);
  Optimizer optimizer(plain.parameters(),
                      {.epsilon = 1e-30, .weight_decay = 0, .max_grad_norm = 0});
  for (auto& gradient : plain.parameters().gradients()) gradient = 1;
  const auto old = values_of(plain);
  static_cast<void>(optimizer.step(0.01));
  const auto* start = plain.parameters().values().data();
  for (const auto& parameter : plain.parameters().all()) {
    const auto at = static_cast<std::size_t>(parameter.value.data() - start);
    EXPECT_NEAR(old[at] - parameter.value[0], 0.01 * parameter.rate, 1e-6) << parameter.name;
  }
}

TEST_F(FineTuning, StopsEarly) {
  auto trained = model();
  auto chosen = settings();
  chosen.epochs = 50;
  chosen.learning_rate = 1e-2;
  chosen.patience = 2;
  const auto output = directory("early");
  const auto result = run(trained, output, chosen);
  EXPECT_TRUE(result.finished);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_LT(result.epochs, 50);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes.front().find("stopped early"), std::string::npos);
  const auto* best = result.best();
  EXPECT_EQ(result.evaluations.size(),
            static_cast<std::size_t>(best - result.evaluations.data()) + 3);
  // It is at its end: to resume changes nothing.
  auto again = model();
  const auto resumed = run(again, output, chosen, result.steps);
  EXPECT_TRUE(resumed.finished);
  EXPECT_EQ(resumed.steps, result.steps);
}

TEST_F(FineTuning, TheBestCanBeThatOfTheLeastLoss) {
  auto trained = model();
  auto chosen = settings();
  chosen.best_metric = "loss";
  const auto result = run(trained, directory("loss"), chosen);
  double least = std::numeric_limits<double>::infinity();
  for (const auto& evaluation : evaluations) {
    EXPECT_EQ(evaluation.best, evaluation.loss < least);
    least = std::min(least, evaluation.loss);
  }
  EXPECT_EQ(result.best()->loss, least);
  chosen.best_metric = "beauty";
  auto other = model();
  EXPECT_THROW(static_cast<void>(run(other, directory("beauty"), chosen)), ArgumentError);
}

TEST_F(FineTuning, ALossThatIsNotFiniteStopsTheRun) {
  auto trained = model();
  trained.parameters().at("classifier.bias").value[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(static_cast<void>(run(trained, directory("nan"), settings())), ModelError);
}

TEST_F(FineTuning, SettingsThatMakeNoRunAreRefused) {
  auto trained = model();
  const auto output = directory("refused");
  const auto refused = [&](auto change) {
    auto chosen = settings();
    change(chosen);
    EXPECT_THROW(static_cast<void>(run(trained, output, chosen)), ArgumentError);
  };
  refused([](auto& s) { s.epochs = 0; });
  refused([](auto& s) { s.batch_size = 0; });
  refused([](auto& s) { s.learning_rate = 0; });
  refused([](auto& s) { s.warmup_ratio = 2; });
  refused([](auto& s) { s.layer_decay = 0; });
  auto patient = settings();
  patient.patience = 1;
  EXPECT_THROW(static_cast<void>(run(trained, output, patient, {}, false)), ArgumentError);
}

TEST_F(FineTuning, WithoutDevDataTheLastModelCounts) {
  auto trained = model();
  const auto output = directory("no-dev");
  const auto result = run(trained, output, settings(), {}, false);
  EXPECT_TRUE(result.evaluations.empty());
  const auto saved = Checkpoint::open(output.path());
  const auto saved_bias = saved.tensor("classifier.bias");
  const auto bias = saved_bias.values<float>();
  const auto& last = trained.parameters().at("classifier.bias").value;
  EXPECT_TRUE(std::equal(bias.begin(), bias.end(), last.begin()));
}

TEST_F(FineTuning, LabelsAreCountedAndBalanced) {
  const auto counts = label_counts(*train, 2);
  EXPECT_EQ(counts[0], 20);
  EXPECT_EQ(counts[1], 40);
  EXPECT_EQ(balanced_class_weights(counts), (std::vector<float>{1.5F, 0.75F}));
  const std::vector<std::int64_t> lacking{3, 0};
  EXPECT_THROW(static_cast<void>(balanced_class_weights(lacking)), ArgumentError);
}

TEST_F(FineTuning, TheFingerprintIsThatOfTextsLabelsAndOrder) {
  const auto of = [&](const std::string& text) {
    return fingerprint_of(*task->read_eval(temporary.write("other.tsv", text)));
  };
  EXPECT_EQ(of("calm sea\tgood\nwild\tpoor\n"), of("calm sea\tgood\nwild\tpoor\n"));
  EXPECT_NE(of("calm sea\tgood\nwild\tpoor\n"), of("wild\tpoor\ncalm sea\tgood\n"));
  EXPECT_NE(of("calm sea\tgood\nwild\tpoor\n"), of("calm sea\tpoor\nwild\tpoor\n"));
  EXPECT_NE(of("calm sea\tgood\nwild\tpoor\n"), of("calm ship\tgood\nwild\tpoor\n"));
}

TEST(FinetuneState, IsWhatItWasAfterJson) {
  FinetuneState state;
  state.step = 7;
  state.passes = 9;
  state.tokens = 100;
  state.seconds = 0.1;
  state.without_better = 1;
  state.since_evaluated = {1.0 / 3, 2, 3, 1};
  state.evaluations.push_back({.step = 5,
                               .epoch = 0.5,
                               .train_loss = 0.1,
                               .loss = 0.2,
                               .metrics = {{"f1", 0.25}, {"accuracy", std::nan("")}},
                               .best = true});
  state.best_details = "a table\n";
  const auto again = FinetuneState::from_json(state.to_json(), "here");
  EXPECT_EQ(again.to_json(), state.to_json());
  EXPECT_EQ(again.since_evaluated.sum, 1.0 / 3);
  EXPECT_TRUE(std::isnan(again.best()->metrics[1].second));
  EXPECT_THROW(static_cast<void>(FinetuneState::from_json("{}", "here")), FormatError);
}

}  // namespace
}  // namespace cloze
