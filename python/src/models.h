/// \file
/// A model of any head, as Python holds it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cloze/bert.h"

namespace cloze::python {

/// One of bert.h's classes.
using AnyModel =
    std::variant<BertModel, BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining,
                 BertForSequenceClassification, BertForTokenClassification,
                 BertForQuestionAnswering, BertForMultipleChoice>;

/// A model with the name of its class in transformers.
struct LoadedModel {
  std::string name;
  AnyModel model;
};

/// "float32", "bfloat16", "int8" and "best" as what the library computes in. Throws nb::value_error
/// for another name.
[[nodiscard]] Precision precision_of(std::string_view name);

/// The weights' precision and the layers that stay unquantized.
[[nodiscard]] LoadOptions load_options(std::string_view precision, std::vector<std::string> keep);

/// The class that `loaded` must be of. Throws nb::type_error for another.
template <class Model>
[[nodiscard]] const Model& model_of(const LoadedModel& loaded);

}  // namespace cloze::python
