/// \file
/// Learning-rate schedules: what share of the peak rate a step has.
#pragma once

#include <cstdint>

#include "cloze/training.h"

namespace cloze {

/// The share of the peak rate at `progress` (0 at the first step, 1 at the end; completed steps
/// over all steps), after a warm-up, linear from 0, over the share `warmup` of the way.
[[nodiscard]] double learning_rate_share(ScheduleKind kind, double progress, double warmup);

/// The warm-up of a run of `steps` steps as a share of it. Throws ArgumentError for a warm-up that
/// is none, or counts steps where `steps` is 0.
[[nodiscard]] double warmup_share(const TrainingSettings& settings, std::int64_t steps);

}  // namespace cloze
