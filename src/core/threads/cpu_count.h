/// \file
/// How many threads are worth having: what the environment says, and what the system leaves to the
/// process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/function_ref.h"

namespace cloze {

/// The processors that the process may run on (sched_setaffinity, taskset, cpusets); 1 at least.
[[nodiscard]] int processors_allowed();

/// Where Linux tells about control groups.
struct CgroupPaths {
  std::filesystem::path membership = "/proc/self/cgroup";
  std::filesystem::path root = "/sys/fs/cgroup";
};

/// The processors whose time the process's control groups leave to it, rounded up: the least of its
/// own group and those around it. Of cgroup v2 that is `cpu.max`, of v1 `cpu.cfs_quota_us` over
/// `cpu.cfs_period_us`. Nothing where no group sets a limit.
[[nodiscard]] std::optional<int> processors_of_cgroups(const CgroupPaths& paths = {});

/// The variables that say how many threads there shall be, where they are set.
struct ThreadVariables {
  std::optional<std::string> cloze;   ///< CLOZE_NUM_THREADS
  std::optional<std::string> openmp;  ///< OMP_NUM_THREADS
};

/// CLOZE_NUM_THREADS, else the first number of OMP_NUM_THREADS where it is one, else
/// `processors()`. Throws ArgumentError where CLOZE_NUM_THREADS is not 1 to kMostThreads.
[[nodiscard]] int threads_wanted(const ThreadVariables& variables, FunctionRef<int()> processors);

/// That, of this process.
[[nodiscard]] int default_threads();

}  // namespace cloze
