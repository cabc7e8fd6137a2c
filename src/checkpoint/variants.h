/// \file
/// Which models of BERT's family a configuration describes, and which of them Cloze computes.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "checkpoint/fields.h"
#include "cloze/config.h"

namespace cloze::internal {

/// Takes the model's type: "bert", "distilbert", "electra" or "dpr". Throws ModelError for other
/// models, by name.
[[nodiscard]] std::string take_model_type(Fields& fields);

/// DistilBertConfig's names for BertConfig's fields, and its defaults where they differ.
void rename_distilbert_fields(nlohmann::json& object);

/// ElectraConfig's defaults where they differ from BertConfig's.
void set_electra_sizes(BertConfig& config);

/// Throws ModelError for the part of DPR that reads passages, which is no encoder of texts.
void refuse_reader(const BertConfig& config, const std::string& origin);

/// Throws ModelError for what ELECTRA's multiple-choice model may do with a sequence in other ways
/// than its checkpoints do.
void check_summary(const BertConfig& config, const std::string& origin);

/// Throws ModelError for kinds of BERT that compute something else than Cloze does. The fields stay
/// among the extra ones.
void check_variant(const Fields& fields);

}  // namespace cloze::internal
