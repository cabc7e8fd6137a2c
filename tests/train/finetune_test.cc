// Fine-tuning and evaluation by the public functions, as a program calls them.
#include "cloze/finetune.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/bert.h"
#include "cloze/error.h"
#include "cloze/evaluate.h"
#include "cloze/tokenizer.h"
#include "core/temp_directory.h"
#include "goldens/golden.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read_file;

const std::vector<std::string> kSeaWords{"sea", "ship", "storm", "night", "sail", "wind", "crew"};

/// Sentences whose first word decides the label.
std::vector<TextExample> text_examples(std::size_t count, std::size_t shift) {
  std::vector<TextExample> examples;
  for (std::size_t i = 0; i < count; ++i) {
    const bool good = (i * 7 + shift) % 3 == 0;
    examples.push_back(
        {.text = std::string(good ? "calm " : "wild ") + kSeaWords[i % kSeaWords.size()],
         .labels = {good ? "good" : "poor"}});
  }
  return examples;
}

std::string table_of(const std::vector<TextExample>& examples) {
  std::string text;
  for (const auto& example : examples) text += example.text + '\t' + example.labels[0] + '\n';
  return text;
}

class Finetune : public ::testing::Test {
 protected:
  Finetune() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncalm\nwild\n";
    for (const auto& word : kSeaWords) vocabulary += word + '\n';
    settings.task = "text-classification";
    settings.size = "tiny";
    settings.vocab = folder.write("vocab.txt", vocabulary);
    settings.output = folder / "run";
    settings.precision = Precision::f32;
    settings.learning_rate = 1e-3;
    settings.batch_size = 8;
    settings.epochs = 2;
    settings.threads = 1;
    callbacks.message = [&](MessageKind, const std::string& text) { messages.push_back(text); };
  }

  /// What `body` throws says; it must be of the class.
  template <class Exception, class Body>
  static std::string message_of(const Body& body) {
    try {
      body();
    } catch (const Exception& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  testing::TempDirectory folder;
  std::vector<TextExample> train = text_examples(40, 0), dev = text_examples(12, 1);
  FinetuneSettings settings;
  FinetuneCallbacks callbacks;
  std::vector<std::string> messages;
};

/// The warnings of a run from one of the goldens of search.
class FinetuneFrom : public Finetune {
 protected:
  std::vector<std::string> warnings_from(const fs::path& model, const std::string& task) {
    std::vector<std::string> warnings;
    callbacks.message = [&](MessageKind kind, const std::string& text) {
      if (kind == MessageKind::warning) warnings.push_back(text);
    };
    settings.task = task;
    settings.size = "";
    settings.vocab = "";
    settings.model = model.string();
    settings.epochs = 1;
    settings.overwrite = true;
    settings.train =
        folder.write("train.tsv", task == "sentence-embedding" ? "the cat\tthe dog\na mat\ta cat\n"
                                                               : "the cat\tgood\nthe dog\tpoor\n");
    EXPECT_TRUE(finetune(settings, callbacks).finished);
    return warnings;
  }
  static fs::path search_model(const char* name) {
    return testing::golden_directory("search") / name;
  }
};

TEST_F(FinetuneFrom, SaysWhatIsLeftOutOfTheModel) {
  for (const auto& [name, tensor] : {std::pair{"dpr_context", "encode_proj.weight"},
                                     std::pair{"colbert_stanford", "linear.weight"}}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(warnings_from(search_model(name), "text-classification"),
                ElementsAre(AllOf(HasSubstr(tensor), HasSubstr("left out"))));
  }
  // This one has no projection.
  EXPECT_THAT(warnings_from(search_model("dpr_question"), "text-classification"), IsEmpty());
  // The projection, and the way to a vector.
  EXPECT_THAT(warnings_from(search_model("dpr_context"), "sentence-embedding"),
              ElementsAre(HasSubstr("encode_proj"), HasSubstr("another pooling")));
  EXPECT_THAT(warnings_from(search_model("colbert_native"), "sentence-embedding"),
              ElementsAre(HasSubstr("for each token")));
  EXPECT_THAT(warnings_from(search_model("splade_max"), "sentence-embedding"),
              ElementsAre(HasSubstr("vocabulary's words")));
  EXPECT_THAT(warnings_from(testing::golden_directory("bare_odd"), "sentence-embedding"),
              IsEmpty());
}

TEST_F(Finetune, LearnsFromExamplesInMemory) {
  FinetuneStart started;
  std::vector<FinetuneStep> steps;
  callbacks.start = [&](const FinetuneStart& start) { started = start; };
  callbacks.step = [&](const FinetuneStep& step) { steps.push_back(step); };
  settings.epochs = 8;
  const auto result = finetune(settings, {.train = train, .dev = dev}, callbacks);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 40);
  EXPECT_EQ(started.examples, 40U);
  EXPECT_EQ(started.dev_examples, 12U);
  EXPECT_EQ(started.new_head, true);
  EXPECT_EQ(steps.back().step, 40);
  ASSERT_EQ(result.evaluations.size(), 8U);
  ASSERT_NE(result.best(), nullptr);
  EXPECT_EQ(result.best()->metrics.front(), (std::pair<std::string, double>{"accuracy", 1.0}));
  EXPECT_THAT(results_table(result.evaluations), HasSubstr("| best |"));
  EXPECT_EQ(nlohmann::json::parse(result.details_json).at("labels").size(), 2U);

  // Measured from memory and from a file it is the same, and what training said.
  EvaluateSettings evaluation{.model = (folder / "run").string(), .predictions = true};
  const auto memory = evaluate(evaluation, dev);
  EXPECT_EQ(memory.task, "text-classification");
  EXPECT_EQ(memory.examples, 12U);
  EXPECT_EQ(memory.metric("accuracy"), 1.0);
  ASSERT_EQ(memory.predictions.size(), 12U);
  EXPECT_EQ(nlohmann::json::parse(memory.predictions[0]).at("predicted"), dev[0].labels[0]);
  EXPECT_THROW(static_cast<void>(memory.metric("beauty")), ArgumentError);
  evaluation.data = folder.write("dev.tsv", table_of(dev));
  const auto file = evaluate(evaluation);
  EXPECT_EQ(file.metrics, memory.metrics);
  EXPECT_EQ(file.details, memory.details);
  EXPECT_THROW(static_cast<void>(evaluate(evaluation, dev)), ArgumentError);
}

TEST_F(Finetune, MemoryAndFilesGiveTheSameModel) {
  static_cast<void>(finetune(settings, {.train = train, .dev = dev}));
  auto from_files = settings;
  from_files.output = folder / "files";
  from_files.train = folder.write("train.tsv", table_of(train));
  from_files.dev = folder.write("dev.tsv", table_of(dev));
  static_cast<void>(finetune(from_files));
  EXPECT_EQ(read_file(folder / "run" / "model.safetensors"),
            read_file(folder / "files" / "model.safetensors"));
  EXPECT_THROW(static_cast<void>(finetune(from_files, FinetuneExamples{.train = train})),
               ArgumentError);
}

TEST_F(Finetune, AnUnknownBestMetricIsRefusedBeforeAnythingIsDone) {
  settings.best_metric = "beauty";
  bool started = false;
  callbacks.start = [&](const FinetuneStart&) { started = true; };
  EXPECT_THAT(message_of<ArgumentError>([&] {
                static_cast<void>(finetune(settings, {.train = train, .dev = dev}, callbacks));
              }),
              ::testing::AllOf(HasSubstr("no metric beauty"), HasSubstr("accuracy, f1"),
                               HasSubstr("loss")));
  EXPECT_FALSE(started);
  EXPECT_FALSE(fs::exists(settings.output));
}

/// Runs and evaluations on the same examples, from memory and from a file.
class ExamplesInMemory : public Finetune {
 protected:
  void expect_same(const std::string& task, const Examples& examples, const fs::path& file) {
    settings.task = task;
    settings.epochs = 3;
    const auto memory = finetune(settings, {.train = examples, .dev = examples});
    auto from_files = settings;
    from_files.output = folder / "files";
    from_files.train = from_files.dev = file;
    const auto files = finetune(from_files);
    ASSERT_EQ(memory.evaluations.size(), 3U);
    ASSERT_EQ(files.evaluations.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(memory.evaluations[i].train_loss, files.evaluations[i].train_loss);
      EXPECT_EQ(memory.evaluations[i].loss, files.evaluations[i].loss);
      EXPECT_EQ(memory.evaluations[i].metrics, files.evaluations[i].metrics);
    }
    EXPECT_LT(memory.evaluations[2].train_loss, memory.evaluations[0].train_loss);
    EXPECT_EQ(memory.details, files.details);
    EXPECT_EQ(read_file(folder / "run" / "model.safetensors"),
              read_file(folder / "files" / "model.safetensors"));

    const auto model = (folder / "run").string();
    const auto one = evaluate({.model = model, .predictions = true}, examples);
    const auto other = evaluate({.model = model, .data = file, .predictions = true});
    EXPECT_EQ(one.task, task);
    EXPECT_EQ(one.metrics, other.metrics);
    EXPECT_EQ(one.details_json, other.details_json);
    EXPECT_EQ(one.notes, other.notes);
    EXPECT_EQ(one.predictions, other.predictions);
    EXPECT_THROW(static_cast<void>(evaluate({.model = model}, train)),
                 ArgumentError);  // TextExample
  }
};

TEST_F(ExamplesInMemory, OfTaggedWords) {
  std::vector<TaggedExample> examples;
  std::string lines;
  for (std::size_t i = 0; i < 24; ++i) {
    const bool calm = i % 3 == 0;
    examples.push_back({.tokens = {calm ? "calm" : "wild", kSeaWords[i % 7], kSeaWords[i * 3 % 7]},
                        .tags = {"O", calm ? "B-SEA" : "B-SKY", "O"}});
    lines +=
        nlohmann::json{{"tokens", examples[i].tokens}, {"tags", examples[i].tags}}.dump() + '\n';
  }
  expect_same("token-classification", examples, folder.write("train.jsonl", lines));
}

TEST_F(ExamplesInMemory, OfQuestions) {
  std::vector<QuestionExample> examples;
  auto paragraphs = nlohmann::json::array();
  for (std::size_t i = 0; i < 24; ++i) {
    const auto& word = kSeaWords[i % 7];
    const std::string context = "calm " + word + " wild " + kSeaWords[(i + 1) % 7];
    examples.push_back({.id = "q" + std::to_string(i),
                        .question = "wild " + word,
                        .context = context,
                        .answers = {{word, 5}}});
    paragraphs.push_back({{"context", context},
                          {"qas",
                           {{{"id", examples[i].id},
                             {"question", examples[i].question},
                             {"answers", {{{"text", word}, {"answer_start", 5}}}}}}}});
  }
  const auto squad = nlohmann::json{{"data", {{{"paragraphs", paragraphs}}}}};
  expect_same("question-answering", examples, folder.write("squad.json", squad.dump()));
}

TEST_F(ExamplesInMemory, OfChoices) {
  std::vector<ChoiceExample> examples;
  std::string table = "sent1,sent2,ending0,ending1,label\n";
  for (std::size_t i = 0; i < 24; ++i) {
    const std::int32_t label = i % 3 == 0 ? 1 : 0;
    examples.push_back({.context = label == 1 ? "calm sea" : "wild sea",
                        .question = kSeaWords[i % 7],
                        .choices = {"storm", "night"},
                        .label = label});
    table += examples[i].context + ',' + examples[i].question + ",storm,night," +
             std::to_string(label) + '\n';
  }
  // A table's first row is its header: its lines are the numbers of the examples and one.
  const auto file = folder.write("swag.csv", table);
  std::string lines;
  for (const auto& example : examples) {
    lines += nlohmann::json{{"prompt", example.context},
                            {"choices",
                             {example.question + ' ' + example.choices[0],
                              example.question + ' ' + example.choices[1]}},
                            {"label", example.label}}
                 .dump() +
             '\n';
  }
  expect_same("multiple-choice", examples, folder.write("choices.jsonl", lines));
  const auto model = (folder / "run").string();
  EXPECT_EQ(evaluate({.model = model}, examples).metrics,
            evaluate({.model = model, .data = file}).metrics);
}

TEST_F(Finetune, AStoppedRunGoesOnWithItsSettings) {
  const FinetuneExamples examples{.train = train, .dev = dev};
  static_cast<void>(finetune(settings, examples));
  auto stopped = settings;
  stopped.output = folder / "stopped";
  std::int64_t looks = 0;
  callbacks.should_stop = [&] { return looks++ == 3; };
  EXPECT_FALSE(finetune(stopped, examples, callbacks).finished);

  auto saved = finetune_settings_of(stopped.output);
  EXPECT_TRUE(saved.resume);
  EXPECT_EQ(saved.output, stopped.output);
  EXPECT_EQ(saved.learning_rate, 1e-3);
  EXPECT_EQ(saved.warmup_ratio, 0.1);
  EXPECT_EQ(saved.size, "tiny");
  EXPECT_EQ(saved.precision, Precision::f32);
  EXPECT_FALSE(saved.dropout);
  callbacks.should_stop = nullptr;

  auto changed = saved;
  changed.data.multi_label = true;
  const auto refused =
      message_of<ArgumentError>([&] { static_cast<void>(finetune(changed, examples)); });
  EXPECT_THAT(refused, HasSubstr("multi-label was false"));
  EXPECT_THAT(refused, HasSubstr("cannot become true"));
  const auto others = text_examples(40, 2);
  EXPECT_THAT(message_of<ModelError>(
                  [&] { static_cast<void>(finetune(saved, {.train = others, .dev = dev})); }),
              HasSubstr("not what the run began with"));

  saved.keep = 3;
  const auto result = finetune(saved, examples, callbacks);
  EXPECT_TRUE(result.finished);
  EXPECT_THAT(messages, ::testing::Contains(HasSubstr("keep was 1, is 3")));
  EXPECT_THAT(messages, ::testing::Contains(HasSubstr("resuming from")));
  EXPECT_EQ(read_file(folder / "stopped" / "model.safetensors"),
            read_file(folder / "run" / "model.safetensors"));
}

TEST_F(Finetune, SettingsAreRememberedAsTheyWere) {
  settings.steps = 1;
  settings.data.document_context = true;
  settings.warmup_steps = 3;
  settings.dropout = 0.25;
  settings.optimizer.kind = OptimizerKind::lamb;
  settings.optimizer.bias_correction = false;
  settings.schedule = ScheduleKind::one_cycle;
  settings.set_class_weights("1,2.5");
  static_cast<void>(finetune(settings, FinetuneExamples{.train = train}));
  const auto json = nlohmann::json::parse(read_file(folder / "run" / "run.json"));
  EXPECT_EQ(json.at("warmup"), 3);
  EXPECT_EQ(json.at("dropout"), 0.25);
  EXPECT_EQ(json.at("classifier-dropout"), -1);
  EXPECT_EQ(json.at("optimizer"), "lamb");
  EXPECT_EQ(json.at("no-bias-correction"), true);
  EXPECT_EQ(json.at("no-document-context"), false);
  EXPECT_EQ(json.at("class-weights"), "1,2.5");
  EXPECT_EQ(json.at("dtype"), "f32");
  EXPECT_EQ(json.at("data-fingerprint").get<std::string>().size(), 16U);
  const auto saved = finetune_settings_of(folder / "run");
  EXPECT_EQ(saved.warmup_steps, 3);
  EXPECT_EQ(saved.dropout, 0.25);
  EXPECT_EQ(saved.optimizer.kind, OptimizerKind::lamb);
  EXPECT_FALSE(saved.optimizer.bias_correction);
  EXPECT_EQ(saved.schedule, ScheduleKind::one_cycle);
  EXPECT_EQ(saved.class_weights, (std::vector<float>{1, 2.5F}));
  EXPECT_THROW(settings.set_class_weights("1,x"), ArgumentError);
  EXPECT_THROW(settings.set_class_weights("1,nan"), ArgumentError);
}

TEST_F(Finetune, WhatMakesNoRunIsRefused) {
  const FinetuneExamples examples{.train = train};
  const auto refused = [&](auto change, const std::string& what) {
    auto chosen = settings;
    change(chosen);
    EXPECT_THAT(message_of<ArgumentError>([&] { static_cast<void>(finetune(chosen, examples)); }),
                HasSubstr(what));
  };
  refused([](auto& s) { s.output.clear(); }, "the output is missing");
  refused([](auto& s) { s.task.clear(); }, "the task is missing");
  refused([](auto& s) { s.task = "poetry"; }, "no task poetry");
  refused([](auto& s) { s.task = "token-classification"; }, "TaggedExample");
  refused([](auto& s) { s.size.clear(); }, "a model is missing");
  refused([](auto& s) { s.size = "huge"; }, "huge");
  refused([](auto& s) { s.vocab.clear(); }, "vocab");
  refused([](auto& s) { s.patience = 1; }, "patience");
  refused([](auto& s) { s.precision = Precision::int8; }, "int8");
  refused([](auto& s) { s.batch_size = std::int64_t{1} << 62; }, "batch-size is");
  refused([](auto& s) { s.accumulation = 0; }, "accumulation is");
  refused([](auto& s) { s.data.stride = -1; }, "stride is");
  refused([](auto& s) { s.keep = -1; }, "keep is");
  refused([](auto& s) { s.threads = 1 << 30; }, "threads is");
  refused([](auto& s) { s.dropout = 1.5; }, "dropout is");
  refused([](auto& s) { s.optimizer.beta1 = 1; }, "beta1 is");
  EXPECT_THAT(message_of<ArgumentError>([&] { static_cast<void>(finetune(settings)); }),
              HasSubstr("the training data is missing"));
  EXPECT_THROW(static_cast<void>(finetune_settings_of(folder / "nothing")), ArgumentError);
  EXPECT_FALSE(fs::exists(folder / "run" / "run.json"));
  fs::create_directories(folder / "damaged");
  folder.write("damaged/run.json", R"({"seed": "three"})");
  EXPECT_THAT(
      message_of<FormatError>([&] { static_cast<void>(finetune_settings_of(folder / "damaged")); }),
      HasSubstr("seed"));
}

}  // namespace
}  // namespace cloze
