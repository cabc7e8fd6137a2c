#include "bench/profile_table.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cloze::cli {

std::string profile_table(const Profile& profile, double thread_seconds) {
  if (profile.empty()) return "";
  auto costs = profile;
  std::sort(costs.begin(), costs.end(),
            [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  double rest = thread_seconds;
  auto text = fmt::format("\n{:<32}{:>8}{:>11}{:>8}{:>12}{:>9}\n", "operation, all threads",
                          "calls", "ms", "share", "GFLOP/s", "GB/s");
  for (const auto& cost : costs) {
    rest -= cost.seconds;
    text += fmt::format("{:<32}{:>8}{:>11.2f}{:>7.1f}%{:>12.1f}{:>9.1f}\n", cost.name, cost.calls,
                        1e3 * cost.seconds, 100 * cost.seconds / thread_seconds,
                        cost.operations / cost.seconds / 1e9, cost.bytes / cost.seconds / 1e9);
  }
  text += fmt::format("{:<32}{:>8}{:>11.2f}{:>7.1f}%\n", "waiting, the rest", "", 1e3 * rest,
                      100 * rest / thread_seconds);
  return text;
}

nlohmann::ordered_json profile_json(const Profile& profile) {
  auto operations = nlohmann::ordered_json::array();
  for (const auto& cost : profile) {
    operations.push_back({{"operation", cost.name},
                          {"calls", cost.calls},
                          {"thread_seconds", cost.seconds},
                          {"gflops", cost.operations / cost.seconds / 1e9},
                          {"gb_per_s", cost.bytes / cost.seconds / 1e9}});
  }
  return operations;
}

}  // namespace cloze::cli
