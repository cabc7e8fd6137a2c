#include "train/optimizer/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr std::array names{std::pair{ScheduleKind::linear, std::string_view("linear")},
                           std::pair{ScheduleKind::cosine, std::string_view("cosine")},
                           std::pair{ScheduleKind::constant, std::string_view("constant")},
                           std::pair{ScheduleKind::one_cycle, std::string_view("one-cycle")},
                           std::pair{ScheduleKind::inverse_sqrt, std::string_view("inverse-sqrt")}};

/// From `from` to `to` as `share` goes from 0 to 1, by half a cosine.
double along_cosine(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace

ScheduleKind schedule_from(std::string_view name) {
  for (const auto& [kind, known] : names) {
    if (known == name) return kind;
  }
  throw ArgumentError(fmt::format(
      "there is no schedule {}: use linear, cosine, constant, one-cycle or inverse-sqrt",
      in_quotes(name)));
}

std::string_view name_of(ScheduleKind kind) {
  for (const auto& [known, name] : names) {
    if (known == kind) return name;
  }
  return "";
}

double learning_rate_share(ScheduleKind kind, double progress, double warmup) {
  progress = std::clamp(progress, 0.0, 1.0);
  const bool warming = progress < warmup;
  const double rest = warmup < 1 ? (progress - warmup) / (1 - warmup) : 1;
  if (kind == ScheduleKind::one_cycle) {
    constexpr double start = 1.0 / 25, end = start / 1e4;
    return warming ? along_cosine(start, 1, progress / warmup) : along_cosine(1, end, rest);
  }
  if (warming) return progress / warmup;
  switch (kind) {
    case ScheduleKind::linear:
      return 1 - rest;
    case ScheduleKind::cosine:
      return along_cosine(1, 0, rest);
    case ScheduleKind::inverse_sqrt:
      return progress > 0 && warmup > 0 ? std::sqrt(warmup / progress) : 1;
    default:
      return 1;
  }
}

double warmup_share(const TrainingSettings& settings, std::int64_t steps) {
  const double counted = settings.warmup_steps, share = settings.warmup_ratio;
  if (!(counted >= 0) || !std::isfinite(counted) || !(share >= 0 && share < 1)) {
    throw ArgumentError(
        fmt::format("the warm-up is a share of the run below 1 or a number of steps, not {}",
                    counted != 0 ? counted : share));
  }
  if (counted == 0) return share;
  if (steps <= 0) {
    throw ArgumentError(
        "a warm-up of 1 and more counts steps, and without a number of steps for the run nobody "
        "knows "
        "their share");
  }
  return std::min(1.0, counted / static_cast<double>(steps));
}

}  // namespace cloze
