#include "datasets/example_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "datasets/data_source.h"
#include "datasets/squad_answers.h"
#include "datasets/tag_scheme.h"

namespace cloze {
namespace {

template <class Example>
std::span<const Example> first_of(std::span<const Example> examples, std::int64_t most) {
  if (most <= 0) return examples;
  return examples.first(std::min(examples.size(), static_cast<std::size_t>(most)));
}

[[noreturn]] void fail(std::int64_t number, std::string_view what) {
  throw FormatError(fmt::format("{} {}", example_name(number), what));
}

void require_text(std::string_view text, std::int64_t number, std::string_view what) {
  if (trimmed(text).empty()) fail(number, fmt::format("has an empty {}: fill it in", what));
}

/// Positions are counted in code points, which other bytes than UTF-8 do not have.
void require_utf8(std::string_view text, std::int64_t number, std::string_view what) {
  const auto valid = utf8::valid_prefix(text);
  if (valid == text.size()) return;
  fail(number, fmt::format("has {} that is not UTF-8 (byte {})", what, valid));
}

}  // namespace

TaggedTexts tagged_texts(std::span<const TaggedExample> examples, std::int64_t most) {
  std::vector<TaggedSentence> sentences;
  std::int64_t document = 0;
  for (const auto& example : first_of(examples, most)) {
    const auto number = static_cast<std::int64_t>(sentences.size()) + 1;
    if (example.tokens.empty()) fail(number, "has no tokens");
    if (example.tokens.size() != example.tags.size()) {
      fail(number, fmt::format("has {} tokens and {} tags: each token has one",
                               example.tokens.size(), example.tags.size()));
    }
    if (number > 1 && example.document != examples[sentences.size() - 1].document) ++document;
    sentences.push_back(
        {.words = example.tokens, .tags = example.tags, .line = number, .document = document});
  }
  return in_iob2(std::move(sentences), [](const TaggedSentence& sentence, std::size_t /*word*/) {
    return example_name(sentence.line);
  });
}

SquadData squad_data(std::span<const QuestionExample> examples, std::int64_t most) {
  SquadData data;
  for (const auto& example : first_of(examples, most)) {
    const auto number = static_cast<std::int64_t>(data.questions.size()) + 1;
    require_text(example.question, number, "question");
    require_text(example.context, number, "context");
    require_utf8(example.question, number, "a question");
    require_utf8(example.context, number, "a context");
    // Questions about one text stand together and share it.
    if (data.contexts.empty() || data.contexts.back() != example.context) {
      data.contexts.push_back(example.context);
    }
    SquadQuestion question{.id = example.id.empty() ? fmt::format("{}", number) : example.id,
                           .question = example.question,
                           .context = data.contexts.size() - 1,
                           .answers = {}};
    for (const auto& answer : example.answers) {
      require_utf8(answer.text, number, "an answer");
      add_answer(data, question, answer.text, answer.start);
    }
    data.questions.push_back(std::move(question));
  }
  return data;
}

std::vector<Choices> choices_of(std::span<const ChoiceExample> examples, std::int64_t most) {
  std::vector<Choices> rows;
  for (const auto& example : first_of(examples, most)) {
    const auto number = static_cast<std::int64_t>(rows.size()) + 1;
    require_text(example.context, number, "context");
    const auto count = rows.empty() ? example.choices.size() : rows.front().choices.size();
    if (example.choices.size() != count || count < 2) {
      fail(number, fmt::format("has {} choices{}: every example must have as many, two at least",
                               example.choices.size(),
                               rows.empty() ? "" : fmt::format(", where the first has {}", count)));
    }
    if (example.label < 0 || static_cast<std::size_t>(example.label) >= count) {
      fail(number, fmt::format("has the label {}: it must be the number of a choice, 0 to {}",
                               example.label, count - 1));
    }
    Choices row{.prompt = example.context, .choices = {}, .label = example.label, .line = number};
    for (const auto& choice : example.choices) {
      require_text(choice, number, "choice");
      row.choices.push_back(
          example.question.empty() ? choice : fmt::format("{} {}", example.question, choice));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace cloze
