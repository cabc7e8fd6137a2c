#include "datasets/data_source.h"

#include <fmt/format.h>

#include "cloze/error.h"

namespace cloze {

std::string DataSource::form_of(const Examples& examples) {
  if (examples.are<TaggedExample>()) return "TaggedExample (tokens, tags)";
  if (examples.are<QuestionExample>()) return "QuestionExample (question, context, answers)";
  if (examples.are<ChoiceExample>()) return "ChoiceExample (context, choices, label)";
  return "TextExample (text, pair, labels)";
}

void DataSource::require_some(bool right_form, const std::string& wanted) const {
  if (examples_.empty()) throw FormatError("there are no examples: give one at least");
  if (right_form) return;
  throw ArgumentError(fmt::format("this task reads examples of the form {}, and was given {}",
                                  wanted, form_of(examples_)));
}

std::string example_name(std::int64_t number) { return fmt::format("example {}", number); }

}  // namespace cloze
