/// \file
/// Labelled examples of Python as the library's structs.
#pragma once

#include <variant>
#include <vector>

#include "cloze/examples.h"

namespace cloze::python {

/// Examples of one form.
struct ExampleSet {
  std::variant<std::vector<TextExample>, std::vector<TaggedExample>, std::vector<QuestionExample>,
               std::vector<ChoiceExample>>
      examples;

  [[nodiscard]] Examples view() const {
    return std::visit([](const auto& all) { return Examples(all); }, examples);
  }
};

}  // namespace cloze::python
