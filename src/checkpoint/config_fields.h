/// \file
/// The fields of config.json: those that transformers 2 to 5 and the makers of BERTs write.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cloze/config.h"

namespace cloze::internal {

/// Throws ModelError for fields that make another model of a BERT, by name: code of the
/// checkpoint's own (`auto_map`), other positions, other layers. The fields that BertConfig reads,
/// and those that it refuses with reasons of its own, are not looked at.
void refuse_config_fields(const nlohmann::json& config, const std::string& origin);

/// The names among `config.extra_json` that Cloze does not know.
[[nodiscard]] std::vector<std::string> unknown_config_fields(const BertConfig& config);

}  // namespace cloze::internal
