/// \file
/// What `cloze info --machine` says.
#pragma once

#include <string>

#include "cloze/machine.h"

namespace cloze::cli {

/// Lines for a person.
[[nodiscard]] std::string machine_text(const MachineInfo& info);

/// One JSON object, indented; rates that the machine does not have are null.
[[nodiscard]] std::string machine_json(const MachineInfo& info);

}  // namespace cloze::cli
