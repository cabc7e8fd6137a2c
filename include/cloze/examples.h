/// \file
/// Labelled examples in memory, a struct for each form that tasks learn from: what their files hold
/// (docs/tasks.md), without a file. TextExample (text_example.h) is for text classification,
/// regression, ranking and sentence embedding; the others are here.
///
///     std::vector<cloze::QuestionExample> questions{
///         {.question = "Who built the mill?",
///          .context = "The mill was built by Jan Brandt.",
///          .answers = {{.text = "Jan Brandt", .start = 22}}}};
///     cloze::evaluate({.model = "./reader"}, questions);
///
/// The same examples give the same results from memory and from a file, bit for bit.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cloze/squad.h"
#include "cloze/text_example.h"

#pragma GCC visibility push(default)
namespace cloze {

/// The words of a sentence with their tags, for token classification.
struct TaggedExample {
  std::vector<std::string> tokens;  ///< words, which the model's tokenizer divides further
  /// As many: entity tags in IOB1, IOB2, BIOES (BILOU) or BMES, or labels of another kind.
  std::vector<std::string> tags;
  /// Neighbouring sentences with the same number are of one document, and are read with one another
  /// around them (`TaskOptions::document_context`).
  std::int64_t document = 0;
};

/// A question about a context, for question answering.
struct QuestionExample {
  std::string id{};  ///< for messages and predictions; empty: the example's number, from 1
  std::string question{};
  std::string context{};
  /// Those that are right, `start` in code points of the context; none: the context does not say
  /// (`TaskOptions::version_2`). One that does not stand at its `start` is looked for: the nearest
  /// place that has its text is taken.
  std::vector<SquadAnswer> answers{};
};

/// A context and what may follow it, for multiple choice.
struct ChoiceExample {
  std::string context{};
  std::string question{};  ///< what every choice begins with (SWAG's `sent2`); may be empty
  std::vector<std::string> choices{};  ///< two or more, as many in each example
  std::int32_t label = 0;              ///< the right one, from 0
};

template <class Example>
concept LabelledExample =
    std::same_as<Example, TextExample> || std::same_as<Example, TaggedExample> ||
    std::same_as<Example, QuestionExample> || std::same_as<Example, ChoiceExample>;

/// The examples of a call: a view of an array of one of these structs. What it views must outlive
/// the call.
class Examples {
 public:
  Examples() = default;

  template <std::ranges::contiguous_range Range>
  requires LabelledExample<std::ranges::range_value_t<Range>> Examples(
      const Range& examples)  // NOLINT(google-explicit-constructor): a view, as std::span is
      : spans_(std::span<const std::ranges::range_value_t<Range>>(std::ranges::data(examples),
                                                                  std::ranges::size(examples))) {}

  [[nodiscard]] std::size_t size() const {
    return std::visit([](const auto& span) { return span.size(); }, spans_);
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

  /// Whether they are of this struct.
  template <LabelledExample Example>
  [[nodiscard]] bool are() const {
    return std::holds_alternative<std::span<const Example>>(spans_);
  }
  /// The examples; none if they are of another struct.
  template <LabelledExample Example>
  [[nodiscard]] std::span<const Example> as() const {
    const auto* span = std::get_if<std::span<const Example>>(&spans_);
    return span == nullptr ? std::span<const Example>() : *span;
  }

 private:
  std::variant<std::span<const TextExample>, std::span<const TaggedExample>,
               std::span<const QuestionExample>, std::span<const ChoiceExample>>
      spans_;
};

}  // namespace cloze

#pragma GCC visibility pop
