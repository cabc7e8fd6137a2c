/// \file
/// Which models of BERT's family a configuration describes, and which of them Cloze computes.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "checkpoint/fields.h"

namespace cloze::internal {

/// Takes the model's type: "bert" or "distilbert". Throws ModelError for other models, by name.
[[nodiscard]] std::string take_model_type(Fields& fields);

/// DistilBertConfig's names for BertConfig's fields, and its defaults where they differ.
void rename_distilbert_fields(nlohmann::json& object);

/// Throws ModelError for kinds of BERT that compute something else than Cloze does. The fields stay
/// among the extra ones.
void check_variant(const Fields& fields);

}  // namespace cloze::internal
