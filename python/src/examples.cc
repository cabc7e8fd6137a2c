#include "python/src/examples.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "cloze/task_options.h"
#include "python/src/bind.h"
#include "python/src/texts.h"

namespace cloze::python {
namespace {

/// One row, as the Python package lays it out: a tuple of strings, lists of strings and numbers.
class Row {
 public:
  Row(nb::handle row, std::size_t index) : row_(row), name_("row " + std::to_string(index)) {}

  [[nodiscard]] std::string text(std::size_t at, const char* what) const {
    nb::list keep;
    return std::string(text_of(item(at), name_ + ": " + what, keep));
  }
  [[nodiscard]] std::vector<std::string> texts(std::size_t at, const char* what) const {
    const TextList list(item(at), name_ + ": " + what);
    return {list.views().begin(), list.views().end()};
  }
  [[nodiscard]] std::int64_t number(std::size_t at, const char* what) const {
    try {
      return nb::cast<std::int64_t>(item(at));
    } catch (const nb::cast_error&) {
      throw nb::type_error(
          (name_ + ": " + what + " is " + kind_of(item(at)) + ", not int").c_str());
    }
  }
  [[nodiscard]] nb::object item(std::size_t at) const { return nb::object(row_[at]); }

 private:
  nb::handle row_;
  std::string name_;
};

QuestionExample question_of(const Row& row) {
  QuestionExample example{.id = row.text(0, "id"),
                          .question = row.text(1, "question"),
                          .context = row.text(2, "context")};
  for (nb::handle answer : row.item(3)) {
    nb::list keep;
    example.answers.push_back(
        {.text = std::string(text_of(nb::object(answer[0]), "the answer's text", keep)),
         .start = nb::cast<std::int32_t>(nb::object(answer[1]))});
  }
  return example;
}

ExampleSet examples_of(std::string_view kind, const nb::list& rows) {
  ExampleSet set;
  const auto fill = [&]<class Example>(std::vector<Example> all, auto&& convert) {
    all.reserve(rows.size());
    for (nb::handle row : rows) all.push_back(convert(Row(row, all.size())));
    set.examples = std::move(all);
  };
  if (kind == "text") {
    fill(std::vector<TextExample>(), [](const Row& row) {
      return TextExample{row.text(0, "text"), row.text(1, "pair"), row.texts(2, "label")};
    });
  } else if (kind == "tagged") {
    fill(std::vector<TaggedExample>(), [](const Row& row) {
      return TaggedExample{row.texts(0, "tokens"), row.texts(1, "tags"), row.number(2, "document")};
    });
  } else if (kind == "question") {
    fill(std::vector<QuestionExample>(), question_of);
  } else if (kind == "choice") {
    fill(std::vector<ChoiceExample>(), [](const Row& row) {
      return ChoiceExample{row.text(0, "context"), row.text(1, "question"), row.texts(2, "choices"),
                           static_cast<std::int32_t>(row.number(3, "label"))};
    });
  } else {
    throw nb::value_error(("there is no form of examples '" + std::string(kind) + "'").c_str());
  }
  return set;
}

}  // namespace

void bind_examples(nb::module_& module) {
  nb::class_<ExampleSet>(module, "Examples", "Labelled examples in memory.")
      .def("__len__", [](const ExampleSet& set) { return set.view().size(); });
  module.def("examples", &examples_of, nb::arg("kind"), nb::arg("rows"));
  module.def("tasks", [] {
    nb::list result;
    for (const auto& task : tasks()) {
      result.append(nb::make_tuple(std::string(task.name), std::string(task.pipeline)));
    }
    return result;
  });
}

}  // namespace cloze::python
