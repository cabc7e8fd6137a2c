/// \file
/// How a profile is shown: time of the threads by operation, and each one's rates.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cloze/profile.h"

namespace cloze::cli {

/// A table, dearest first; what is left of `thread_seconds` (all threads' time) is waiting. Empty
/// for an empty profile.
[[nodiscard]] std::string profile_table(const Profile& profile, double thread_seconds);

/// An array of {"operation", "calls", "thread_seconds", "gflops", "gb_per_s"}.
[[nodiscard]] nlohmann::ordered_json profile_json(const Profile& profile);

}  // namespace cloze::cli
