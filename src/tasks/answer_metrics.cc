#include <array>
#include <utility>

#include <fmt/format.h>

#include "cloze/error.h"
#include "cloze/task_options.h"
#include "core/strings.h"

namespace cloze {
namespace {

constexpr std::array<std::pair<std::string_view, AnswerMetrics>, 3> kNames{
    {{"auto", AnswerMetrics::automatic},
     {"squad", AnswerMetrics::squad},
     {"cmrc", AnswerMetrics::cmrc}}};

}  // namespace

AnswerMetrics answer_metrics_from(std::string_view name) {
  for (const auto& [known, metrics] : kNames) {
    if (name == known) return metrics;
  }
  throw ArgumentError(
      fmt::format("answers are compared by auto, squad or cmrc, not by {}", in_quotes(name)));
}

std::string_view name_of(AnswerMetrics metrics) {
  for (const auto& [name, known] : kNames) {
    if (metrics == known) return name;
  }
  throw ArgumentError("not a way to compare answers");
}

}  // namespace cloze
