// Examples in memory: the same data as from a file, and what is wrong with them; and the names of
// each task's metrics.
#include "cloze/examples.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "tasks/task_test_tools.h"

namespace cloze {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TaskTest;

const std::vector<TaggedExample>& tagged() {
  static const std::vector<TaggedExample> examples{
      {{"the", "dogs", "a"}, {"O", "I-X", "B-X"}, 4},
      {{"e", "f"}, {"I-Y", "O"}, 4},
      {{"the", "é"}, {"O", "O"}, 7},
  };
  return examples;
}

const std::vector<QuestionExample>& questions() {
  static const std::vector<QuestionExample> examples{
      {.id = "one",
       .question = "the?",
       .context = "é a dogs b.",
       .answers = {{"dogs", 4}, {"b", 9}}},
      {.id = "two", .question = "a?", .context = "é a dogs b.", .answers = {{"dogs", 0}}},
      {.id = "three", .question = "b?", .context = "c dogs", .answers = {{"cat", 0}, {"c", 0}}},
  };
  return examples;
}

const std::vector<ChoiceExample>& choices() {
  static const std::vector<ChoiceExample> examples{
      {.context = "the dog", .question = "a", .choices = {"b", "c e"}, .label = 1},
      {.context = "dogs", .choices = {"f", "g"}, .label = 0},
  };
  return examples;
}

class ExamplesTest : public TaskTest {
 protected:
  static std::unique_ptr<Task> task(std::string_view name, bool multi_label = false) {
    TaskOptions options;
    options.multi_label = multi_label;
    return make_task(name, tokenizer(), config(), options, false);
  }
  static DataSource memory(const Examples& examples) { return DataSource(examples); }

  /// Logits of all units, none of them alike.
  static std::vector<Tensor> some_logits(const Task& task, const TaskData& data) {
    auto model = config();
    task.configure(model);
    const auto layers = task.head().layers();
    const auto width =
        layers.empty() ? model.hidden_size : internal::outputs_of(layers.front(), model);
    std::vector<Tensor> logits;
    float value = 0;
    for (std::size_t unit = 0; unit < data.size(); ++unit) {
      const auto batch = data.batch(std::vector{unit});
      auto own =
          Tensor::zeros(DType::f32, {internal::rows_of_units(task.head(), batch).front(), width});
      for (auto& each : own.mutable_values<float>()) {
        value = value > 3 ? value - 7.3F : value + 0.9F;
        each = value;
      }
      logits.push_back(std::move(own));
    }
    return logits;
  }

  /// Both sources give the same batches, figures, lines and notes.
  static void expect_same(std::string_view name, const DataSource& one, const DataSource& other) {
    const auto first = task(name), second = task(name);
    for (const bool train : {true, false}) {
      const auto a = train ? first->read_train(one) : first->read_eval(one);
      const auto b = train ? second->read_train(other) : second->read_eval(other);
      ASSERT_EQ(a->size(), b->size());
      EXPECT_EQ(a->examples(), b->examples());
      EXPECT_EQ(a->notes(), b->notes());
      for (std::size_t unit = 0; unit < a->size(); ++unit) {
        const auto x = a->batch(std::vector{unit}), y = b->batch(std::vector{unit});
        EXPECT_EQ(x.inputs.input_ids, y.inputs.input_ids);
        EXPECT_EQ(x.inputs.token_type_ids, y.inputs.token_type_ids);
        EXPECT_EQ(x.labels, y.labels);
        EXPECT_EQ(x.start_positions, y.start_positions);
        EXPECT_EQ(x.end_positions, y.end_positions);
        EXPECT_EQ(x.choices, y.choices);
      }
      if (train) continue;
      const auto logits = some_logits(*first, *a);
      EXPECT_EQ(a->evaluate(logits).metrics, b->evaluate(logits).metrics);
      EXPECT_EQ(a->evaluate(logits).details, b->evaluate(logits).details);
      EXPECT_EQ(a->predictions(logits), b->predictions(logits));
    }
  }
};

TEST_F(ExamplesTest, TaggedWordsAreThoseOfAFile) {
  // Without documents, whose blank lines count as lines, the predictions are the same, too.
  std::string lines;
  std::vector<TaggedExample> of_one = tagged();
  for (auto& example : of_one) {
    example.document = 1;
    lines += nlohmann::json{{"tokens", example.tokens}, {"tags", example.tags}}.dump() + '\n';
  }
  expect_same("token-classification", memory(of_one), file("one.jsonl", lines));
  const auto from_file = file("two.conll",
                              "the O\ndogs I-X\na B-X\n\ne I-Y\nf O\n\n-DOCSTART- O\n\n"
                              "the O\né O\n");
  const auto one = task("token-classification"), other = task("token-classification");
  const auto a = one->read_train(memory(tagged())), b = other->read_train(from_file);
  ASSERT_EQ(a->size(), b->size());
  for (std::size_t unit = 0; unit < a->size(); ++unit) {
    EXPECT_EQ(a->batch(std::vector{unit}).inputs.input_ids,
              b->batch(std::vector{unit}).inputs.input_ids);
  }
  EXPECT_EQ(a->notes(), b->notes());  // IOB1 became IOB2
  EXPECT_FALSE(a->notes().empty());
}

TEST_F(ExamplesTest, QuestionsAreThoseOfAFile) {
  auto paragraphs = nlohmann::json::array();
  for (const auto& example : questions()) {
    auto answers = nlohmann::json::array();
    for (const auto& answer : example.answers) {
      answers.push_back({{"text", answer.text}, {"answer_start", answer.start}});
    }
    paragraphs.push_back(
        {{"context", example.context},
         {"qas", {{{"id", example.id}, {"question", example.question}, {"answers", answers}}}}});
  }
  const auto squad = nlohmann::json{{"data", {{{"paragraphs", paragraphs}}}}};
  expect_same("question-answering", memory(questions()), file("squad.json", squad.dump()));
  // The second answer does not stand where it is said to, the third's first is nowhere.
  const auto notes = task("question-answering")->read_train(memory(questions()))->notes();
  EXPECT_THAT(notes,
              ::testing::ElementsAre(HasSubstr("1 answers do not stand"),
                                     AllOf(HasSubstr("1 answers are not"), HasSubstr("three"))));
}

TEST_F(ExamplesTest, ChoicesAreThoseOfAFile) {
  std::string lines;
  for (const auto& example : choices()) {
    auto texts = nlohmann::json::array();
    for (const auto& choice : example.choices) {
      texts.push_back(example.question.empty() ? choice : example.question + ' ' + choice);
    }
    lines +=
        nlohmann::json{{"prompt", example.context}, {"choices", texts}, {"label", example.label}}
            .dump() +
        '\n';
  }
  expect_same("multiple-choice", memory(choices()), file("choices.jsonl", lines));
}

TEST_F(ExamplesTest, MaxSamplesTakesTheFirst) {
  TaskOptions options;
  options.max_samples = 1;
  for (const auto& [name, examples] :
       {std::pair<const char*, Examples>{"token-classification", tagged()},
        {"question-answering", questions()},
        {"multiple-choice", choices()}}) {
    const auto limited = make_task(name, tokenizer(), config(), options, false);
    EXPECT_EQ(limited->read_train(memory(examples))->examples(), 1U) << name;
  }
}

TEST_F(ExamplesTest, WhatIsWrongIsNamed) {
  const auto refused = [](std::string_view name, const Examples& examples, const auto& what) {
    EXPECT_THAT(error_of([&] { static_cast<void>(task(name)->read_train(memory(examples))); }),
                what);
  };
  const auto tags = [&](TaggedExample wrong, const auto& what) {
    auto examples = tagged();
    examples[1] = std::move(wrong);
    refused("token-classification", examples, AllOf(HasSubstr("example 2"), what));
  };
  tags({{}, {}}, HasSubstr("no tokens"));
  tags({{"a", "b"}, {"O"}}, HasSubstr("2 tokens and 1 tags"));
  tags({{"a"}, {"NOUN"}}, HasSubstr("NOUN"));
  refused("token-classification", std::vector<TaggedExample>{{{"a"}, {"O"}}},
          HasSubstr("every word has the tag \"O\""));

  const auto question = [&](QuestionExample wrong, const auto& what) {
    auto examples = questions();
    examples[1] = std::move(wrong);
    refused("question-answering", examples, what);
  };
  question({.question = " ", .context = "a"}, AllOf(HasSubstr("example 2"), HasSubstr("question")));
  question({.question = "a", .context = ""}, AllOf(HasSubstr("example 2"), HasSubstr("context")));
  question({.question = "a", .context = "a \xFF"},
           AllOf(HasSubstr("example 2"), HasSubstr("UTF-8")));
  question({.question = "a", .context = "b", .answers = {{"\xFF", 0}}}, HasSubstr("UTF-8"));
  question({.question = "a", .context = "b"}, AllOf(HasSubstr("\"2\""), HasSubstr("--version-2")));

  const auto choice = [&](ChoiceExample wrong, const auto& what) {
    auto examples = choices();
    examples[1] = std::move(wrong);
    refused("multiple-choice", examples, AllOf(HasSubstr("example 2"), what));
  };
  choice({.context = "", .choices = {"a", "b"}}, HasSubstr("empty context"));
  choice({.context = "a", .choices = {"a", ""}}, HasSubstr("empty choice"));
  choice({.context = "a", .choices = {"a"}}, HasSubstr("1 choices, where the first has 2"));
  choice({.context = "a", .choices = {"a", "b"}, .label = 2}, HasSubstr("label 2"));
  choice({.context = "a", .choices = {"a", "b"}, .label = -1}, HasSubstr("label -1"));
  refused("multiple-choice", std::vector<ChoiceExample>{{.context = "a", .choices = {"b"}}},
          HasSubstr("two at least"));

  // None, or of another form.
  for (const auto* name : {"text-classification", "token-classification", "question-answering",
                           "multiple-choice", "ranking"}) {
    refused(name, Examples(), HasSubstr("no examples"));
  }
  refused(
      "question-answering", choices(),
      AllOf(HasSubstr("QuestionExample (question, context, answers)"), HasSubstr("ChoiceExample")));
  refused("token-classification", std::vector<TextExample>{{.text = "a", .labels = {"b"}}},
          AllOf(HasSubstr("TaggedExample"), HasSubstr("TextExample")));
  refused("text-classification", tagged(), HasSubstr("TextExample (text, pair, labels)"));
}

TEST_F(ExamplesTest, EveryTaskNamesItsMetrics) {
  const std::vector<TextExample> two{{"a", "", {"x"}}, {"b", "", {"y"}}},
      three{{"a", "", {"x"}}, {"b", "", {"y"}}, {"c", "", {"z"}}},
      numbers{{"a", "b", {"0"}}, {"a", "c", {"1"}}};
  const std::vector<TaggedExample> words{{{"a", "b"}, {"NOUN", "VERB"}}};
  const std::vector<QuestionExample> impossible{
      {.question = "a?", .context = "b", .answers = {{"b", 0}}},
      {.question = "c?", .context = "d"}};
  struct Case {
    const char* name;
    Examples examples;
    bool multi_label = false;
  };
  for (const auto& [name, examples, multi_label] :
       {Case{"text-classification", two}, Case{"text-classification", three},
        Case{"text-classification", two, true}, Case{"regression", numbers},
        Case{"ranking", numbers}, Case{"sentence-embedding", numbers},
        Case{"token-classification", tagged()}, Case{"token-classification", words},
        Case{"question-answering", questions()}, Case{"question-answering", impossible},
        Case{"multiple-choice", choices()}}) {
    TaskOptions options;
    options.multi_label = multi_label;
    options.version_2 = examples.as<QuestionExample>().data() == impossible.data();
    const auto made = make_task(name, tokenizer(), config(), options, false);
    static_cast<void>(made->read_train(memory(examples)));
    const auto data = made->read_eval(memory(examples));
    std::vector<std::string> found;
    for (const auto& [metric, value] : data->evaluate(some_logits(*made, *data)).metrics) {
      found.push_back(metric);
    }
    EXPECT_EQ(data->metric_names(), found) << name;
    EXPECT_THAT(found, ::testing::Contains(made->best_metric())) << name;
  }
}

}  // namespace
}  // namespace cloze
