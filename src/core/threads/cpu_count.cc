#include "core/threads/cpu_count.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sched.h>

#include "cloze/error.h"
#include "cloze/threads.h"
#include "core/environment.h"
#include "core/numbers.h"
#include "core/strings.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;

/// The first line of a small file; nothing where it cannot be read.
std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

/// quota / period, rounded up. Nothing where either is not a positive number: "max" and -1 mean
/// that there is no limit.
std::optional<int> rounded_up(std::string_view quota, std::string_view period) {
  const auto time = whole_number(trimmed(quota)), every = whole_number(trimmed(period));
  if (!time || !every || *time <= 0 || *every <= 0) return std::nullopt;
  const std::int64_t count = *time / *every + (*time % *every > 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(count, std::numeric_limits<int>::max()));
}

/// What the group in `directory` says itself.
std::optional<int> limit_of(const fs::path& directory) {
  if (const auto line = first_line(directory / "cpu.max")) {
    const auto space = line->find(' ');
    if (space == std::string::npos) return std::nullopt;
    return rounded_up(line->substr(0, space), line->substr(space + 1));
  }
  const auto quota = first_line(directory / "cpu.cfs_quota_us");
  const auto period = first_line(directory / "cpu.cfs_period_us");
  if (!quota || !period) return std::nullopt;
  return rounded_up(*quota, *period);
}

void lower(std::optional<int>& least, std::optional<int> limit) {
  if (limit) least = std::min(*limit, least.value_or(*limit));
}

/// The least of a group and those around it, up to the mount point. In a container the group's
/// path may be the host's: what is not there is passed over, and the mount point is the
/// container's own group.
void lower_by_groups(std::optional<int>& least, const fs::path& mount, const std::string& group) {
  auto relative = fs::path(group).relative_path().lexically_normal();
  const bool outside = !relative.empty() && *relative.begin() == "..";
  if (outside) relative.clear();
  while (!relative.empty()) {
    lower(least, limit_of(mount / relative));
    relative = relative.parent_path();
  }
  lower(least, limit_of(mount));
}

/// Whether a list with commas has the word.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

int processors_allowed() {
  // The kernel refuses a set that is too small for the machine.
  constexpr std::size_t smallest = 1024, largest = std::size_t{1} << 20U;
  for (std::size_t size = smallest; size <= largest; size *= 2) {
    std::vector<cpu_set_t> sets((size + CPU_SETSIZE - 1) / CPU_SETSIZE);
    const std::size_t bytes = sets.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, sets.data()) == 0) {
      return std::max(1, CPU_COUNT_S(bytes, sets.data()));
    }
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<int> processors_of_cgroups(const CgroupPaths& paths) {
  // A line a hierarchy: "4:cpu,cpuacct:/group" of v1, "0::/group" of v2.
  std::ifstream file(paths.membership);
  std::optional<int> least;
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto group = line.substr(second + 1);
    if (controllers.empty()) {
      lower_by_groups(least, paths.root, group);
      lower_by_groups(least, paths.root / "unified", group);  // beside v1
    } else if (has_word(controllers, "cpu")) {
      lower_by_groups(least, paths.root / controllers, group);
      if (controllers != "cpu") lower_by_groups(least, paths.root / "cpu", group);
    }
  }
  return least;
}

int threads_wanted(const ThreadVariables& variables, FunctionRef<int()> processors) {
  if (variables.cloze) {
    const auto count = whole_number<int>(*variables.cloze);
    if (!count || *count < 1 || *count > kMostThreads) {
      throw ArgumentError(fmt::format("CLOZE_NUM_THREADS is {}: set it to 1 to {}, or unset it",
                                      in_quotes(*variables.cloze), kMostThreads));
    }
    return *count;
  }
  if (variables.openmp) {
    // A list is of nested regions: "4,2". OpenMP's run time warns of a wrong one by itself.
    const std::string_view list = *variables.openmp;
    const auto count = whole_number<int>(trimmed(list.substr(0, list.find(','))));
    if (count && *count >= 1) return std::min(*count, kMostThreads);
  }
  return std::min(processors(), kMostThreads);
}

int default_threads() {
  return threads_wanted({.cloze = environment_variable("CLOZE_NUM_THREADS"),
                         .openmp = environment_variable("OMP_NUM_THREADS")},
                        [] {
                          const int allowed = processors_allowed();
                          return std::min(allowed, processors_of_cgroups().value_or(allowed));
                        });
}

}  // namespace cloze
