/// \file
/// Learning-rate schedules: what share of the peak rate a step has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cloze {

enum class ScheduleKind : std::uint8_t {
  linear,        ///< falls to 0: BERT's, transformers' get_linear_schedule_with_warmup
  cosine,        ///< half a cosine to 0: get_cosine_schedule_with_warmup
  constant,      ///< stays: get_constant_schedule_with_warmup
  one_cycle,     ///< from 1/25 up and down to 1/250,000, both by cosines: PyTorch's OneCycleLR
  inverse_sqrt,  ///< falls with 1 / sqrt(step): Vaswani et al., section 5.3
};

/// Throws ArgumentError for another name than "linear", "cosine", "constant", "one-cycle",
/// "inverse-sqrt".
[[nodiscard]] ScheduleKind schedule_from(std::string_view name);
[[nodiscard]] std::string_view name_of(ScheduleKind kind);

/// The share of the peak rate at `progress` (0 at the first step, 1 at the end; completed steps
/// over all steps), after a warm-up, linear from 0, over the share `warmup` of the way.
[[nodiscard]] double learning_rate_share(ScheduleKind kind, double progress, double warmup);

}  // namespace cloze
