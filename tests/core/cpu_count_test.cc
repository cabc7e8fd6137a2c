// How many threads are worth having: the environment, the affinity mask, the control groups.
#include "core/threads/cpu_count.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include "cloze/error.h"
#include "cloze/threads.h"
#include "core/child_process.h"
#include "core/parallel.h"
#include "core/temp_directory.h"

namespace cloze {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::in_child;
using testing::write_file;

constexpr auto seven = [] { return 7; };

/// A process without variables that say how many threads.
void forget_variables() {
  ::unsetenv("CLOZE_NUM_THREADS");
  ::unsetenv("OMP_NUM_THREADS");
}

TEST(ThreadsWanted, AreWhatTheVariablesSay) {
  EXPECT_EQ(threads_wanted({}, seven), 7);
  EXPECT_EQ(threads_wanted({.cloze = "3", .openmp = "5"}, seven), 3);
  EXPECT_EQ(threads_wanted({.cloze = "4096", .openmp = {}}, seven), 4096);
  EXPECT_EQ(threads_wanted({.cloze = {}, .openmp = "5"}, seven), 5);
  EXPECT_EQ(threads_wanted({.cloze = {}, .openmp = " 5 , 2,1"}, seven), 5);
  EXPECT_EQ(threads_wanted({.cloze = {}, .openmp = "1000000"}, seven), kMostThreads);
}

TEST(ThreadsWanted, OpenMpsAreIgnoredWhereTheyAreNoNumber) {
  for (const char* wrong : {"", "0", "-2", "four", "4.5", "4x", ",3", "99999999999999999999"}) {
    EXPECT_EQ(threads_wanted({.cloze = {}, .openmp = wrong}, seven), 7) << wrong;
  }
}

TEST(ThreadsWanted, OursAreRefusedWhereTheyAreNoNumber) {
  for (const char* wrong : {"0", "-2", "four", "4.5", "4 ", " 4", "4,2", "4097", "1e2", "0x4"}) {
    try {
      static_cast<void>(threads_wanted({.cloze = wrong, .openmp = "5"}, seven));
      ADD_FAILURE() << wrong << " was taken";
    } catch (const ArgumentError& error) {
      EXPECT_EQ(
          error.what(),
          fmt::format("CLOZE_NUM_THREADS is \"{}\": set it to 1 to 4096, or unset it", wrong));
    }
  }
}

TEST(ThreadsWanted, VariablesOfTheProcessCount) {
  EXPECT_EQ(in_child([] {
              forget_variables();
              ::setenv("OMP_NUM_THREADS", "5,2", 1);
              set_num_threads(0);
              if (num_threads() != 5) return 1;
              ::setenv("CLOZE_NUM_THREADS", "3", 1);
              set_num_threads(0);
              if (num_threads() != 3) return 2;
              set_num_threads(2);
              if (num_threads() != 2) return 3;
              ::setenv("CLOZE_NUM_THREADS", "three", 1);
              try {
                set_num_threads(0);
              } catch (const ArgumentError&) {
                return num_threads() == 2 ? 0 : 4;
              }
              return 5;
            }),
            0);
}

TEST(ThreadsWanted, TheAffinityMaskCounts) {
  EXPECT_EQ(in_child([] {
              forget_variables();
              cpu_set_t mask;
              if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
              int first = 0;
              while (!CPU_ISSET(first, &mask)) ++first;
              if (processors_allowed() != CPU_COUNT(&mask)) return 2;
              CPU_ZERO(&mask);
              CPU_SET(first, &mask);
              if (::sched_setaffinity(0, sizeof mask, &mask) != 0) return 3;
              if (processors_allowed() != 1) return 4;
              set_num_threads(0);
              return num_threads() == 1 ? 0 : 5;
            }),
            0);
}

/// A tree of control groups in a folder.
class Cgroups : public ::testing::Test {
 protected:
  void membership(const std::string& lines) { write_file(paths_.membership, lines); }
  void group(const fs::path& group, const std::string& file, const std::string& content) {
    fs::create_directories(paths_.root / group);
    write_file(paths_.root / group / file, content);
  }
  [[nodiscard]] std::optional<int> limit() const { return processors_of_cgroups(paths_); }

 private:
  testing::TempDirectory directory_;
  CgroupPaths paths_{directory_.path() / "cgroup", directory_.path() / "fs"};
};

TEST_F(Cgroups, OfVersion2SayTimeAndPeriod) {
  membership("0::/service\n");
  EXPECT_EQ(limit(), std::nullopt);
  for (const auto& [content, expected] : {std::pair{"50000 100000\n", std::optional(1)},
                                          {"100000 100000\n", 1},
                                          {"100001 100000\n", 2},
                                          {"250000 100000\n", 3},
                                          {"1000 1000000\n", 1},
                                          {"9223372036854775807 1\n", 2147483647},
                                          {"max 100000\n", std::nullopt},
                                          {"0 100000\n", std::nullopt},
                                          {"50000 0\n", std::nullopt},
                                          {"50000\n", std::nullopt},
                                          {"", std::nullopt},
                                          {"nonsense here\n", std::nullopt}}) {
    group("service", "cpu.max", content);
    EXPECT_EQ(limit(), expected) << content;
  }
}

TEST_F(Cgroups, OuterOnesLimitInnerOnes) {
  membership("0::/a/b/c\n");
  group("a/b/c", "cpu.max", "800000 100000\n");
  EXPECT_EQ(limit(), 8);
  group("a", "cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), 3);
  group("a/b", "cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), 3);
  group("", "cpu.max", "200000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(Cgroups, InAContainerTheMountPointIsTheOwnGroup) {
  group("", "cpu.max", "150000 100000\n");
  membership("0::/\n");
  EXPECT_EQ(limit(), 2);
  membership("0::/../../neighbour\n");
  EXPECT_EQ(limit(), 2);
  membership("0::/docker/not-here\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(Cgroups, OfVersion1HaveAFileForEach) {
  membership("12:memory:/m\n4:cpu,cpuacct:/service/x\n1:name=systemd:/s\n");
  EXPECT_EQ(limit(), std::nullopt);
  group("cpu,cpuacct/service/x", "cpu.cfs_quota_us", "-1\n");
  group("cpu,cpuacct/service/x", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), std::nullopt);
  group("cpu,cpuacct/service/x", "cpu.cfs_quota_us", "350000\n");
  EXPECT_EQ(limit(), 4);
  group("cpu,cpuacct/service", "cpu.cfs_quota_us", "150000\n");
  group("cpu,cpuacct/service", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 2);
  // Some systems have the folder under the short name alone; version 2 may be mounted beside.
  group("cpu/service/x", "cpu.cfs_quota_us", "100000\n");
  group("cpu/service/x", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 1);
}

TEST_F(Cgroups, OfBothVersionsMayBeThere) {
  membership("4:cpu:/x\n0::/y\n");
  group("cpu/x", "cpu.cfs_quota_us", "400000\n");
  group("cpu/x", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 4);
  group("unified/y", "cpu.max", "200000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(Cgroups, WithoutThemThereIsNoLimit) {
  EXPECT_EQ(limit(), std::nullopt);
  membership("nonsense\n::\n0:\n");
  EXPECT_EQ(limit(), std::nullopt);
}

/// A control group of this system, with half a processor for whoever is in it.
class HalfAProcessor {
 public:
  HalfAProcessor() {
    const auto name = fmt::format("cloze-test-{}", ::getpid());
    for (const auto& [root, version2] :
         {std::pair<fs::path, bool>{"/sys/fs/cgroup", true}, {"/sys/fs/cgroup/cpu", false}}) {
      std::error_code error;
      if (version2 && !fs::exists(root / "cgroup.controllers", error)) continue;
      directory_ = root / name;
      if (!fs::create_directory(directory_, error)) continue;
      made_ = version2 ? write("cpu.max", "50000 100000")
                       : write("cpu.cfs_period_us", "100000") && write("cpu.cfs_quota_us", "50000");
      if (made_) return;
      fs::remove(directory_, error);
    }
  }
  HalfAProcessor(const HalfAProcessor&) = delete;
  HalfAProcessor& operator=(const HalfAProcessor&) = delete;
  HalfAProcessor(HalfAProcessor&&) = delete;
  HalfAProcessor& operator=(HalfAProcessor&&) = delete;
  ~HalfAProcessor() {
    std::error_code ignored;
    if (made_) fs::remove(directory_, ignored);
  }

  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] bool enter() const { return write("cgroup.procs", std::to_string(::getpid())); }

 private:
  [[nodiscard]] bool write(const char* file, const std::string& content) const {
    std::ofstream to(directory_ / file);
    to << content;
    return static_cast<bool>(to.flush());
  }
  fs::path directory_;
  bool made_ = false;
};

TEST(CgroupsOfThisSystem, LimitTheNumberOfThreads) {
  const HalfAProcessor group;
  if (!group.made()) GTEST_SKIP() << "no control group with a limit on cpu can be made here";
  constexpr int kCannotEnter = 10;
  const int code = in_child([&group] {
    forget_variables();
    if (!group.enter()) return kCannotEnter;
    if (processors_of_cgroups() != 1) return 1;
    set_num_threads(0);
    return num_threads() == 1 ? 0 : 2;
  });
  if (code == kCannotEnter) GTEST_SKIP() << "this process may not enter a control group";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace cloze
