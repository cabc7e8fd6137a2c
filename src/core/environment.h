/// \file
/// Variables of the environment, read.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace cloze {

/// The variable's value; nothing when it is not set, or empty.
[[nodiscard]] inline std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace cloze
