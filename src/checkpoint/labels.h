/// \file
/// The names of a head's outputs in a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "checkpoint/fields.h"

namespace cloze::internal {

/// More outputs than any head has.
inline constexpr std::int64_t kMostLabels = 1'000'000;

/// Takes `id2label`, `label2id` and `num_labels`. As transformers 5 has it, `num_labels` decides:
/// beside names of another number they are LABEL_0, LABEL_1, ... True, false and null are named as
/// Python's str names them. Throws FormatError, and ModelError for numbers that are no labels'.
[[nodiscard]] std::vector<std::string> take_labels(Fields& fields);

/// What to tell people of names that take_labels passed over; nothing where it did not.
[[nodiscard]] std::optional<std::string> warning_of_labels(const nlohmann::json& config,
                                                           const std::string& origin);

}  // namespace cloze::internal
