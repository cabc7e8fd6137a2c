/// \file
/// Runs the real `cloze` and looks at what it says.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "core/temp_directory.h"
#include "places.h"

namespace cloze::testing {

struct Finished {
  int code = -1;  ///< exit code; 128 + the signal when one ended it
  std::string out;
  std::string err;
};

/// How a run differs from a plain one.
struct RunOptions {
  std::string input = {};                     ///< standard input
  std::string output = {};                    ///< where standard output goes; empty: captured
  std::vector<std::string> environment = {};  ///< further NAME=value
};

/// Files in place of a command's standard streams.
struct Streams {
  std::filesystem::path in = "/dev/null", out = "/dev/null", err = "/dev/null";
};

/// Starts `cloze ARGUMENTS...` with `environment` (NAME=value) beside the test's own.
inline pid_t start_command(const std::vector<std::string>& arguments, const Streams& streams = {},
                           const std::vector<std::string>& environment = {}) {
  std::vector<std::string> words{kClozeBinary};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child > 0) return child;
  const auto redirect = [](const std::filesystem::path& path, int flags, int to) {
    const int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0 || ::dup2(fd, to) < 0) std::_Exit(126);
  };
  redirect(streams.in, O_RDONLY, STDIN_FILENO);
  redirect(streams.out, O_WRONLY | O_CREAT, STDOUT_FILENO);
  redirect(streams.err, O_WRONLY | O_CREAT, STDERR_FILENO);
  for (const auto& setting : environment) {
    const auto equals = setting.find('=');
    ::setenv(setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str(), 1);
  }
  ::execv(argv.front(), argv.data());
  std::_Exit(127);
}

/// How the command ended, as waitpid tells it.
inline int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Runs `cloze ARGUMENTS...`. The streams go through files, so no pipe can fill up.
inline Finished cloze_command(const std::vector<std::string>& arguments,
                              const RunOptions& options = {}) {
  const TempDirectory folder;
  const Streams streams{
      .in = folder.write("in", options.input),
      .out = options.output.empty() ? folder / "out" : std::filesystem::path(options.output),
      .err = folder / "err"};
  const int status = wait_for(start_command(arguments, streams, options.environment));
  Finished finished;
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (options.output.empty()) finished.out = read_file(streams.out);
  finished.err = read_file(streams.err);
  return finished;
}

/// Starts `cloze ARGUMENTS...`, silently, and sends `signal` once the run in `output` has a
/// checkpoint; its status, as waitpid gives it.
inline int interrupted_command(const std::vector<std::string>& arguments,
                               const std::filesystem::path& output, int signal) {
  const pid_t child = start_command(arguments);
  const auto has_checkpoint = [&] {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(output, error)) {
      if (entry.path().filename().string().starts_with("checkpoint-")) return true;
    }
    return false;
  };
  for (int i = 0; i < 6000 && !has_checkpoint(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(has_checkpoint());
  ::kill(child, signal);
  return wait_for(child);
}

inline std::filesystem::path golden_model(std::string_view name) {
  return std::filesystem::path(kSourceDir) / "tests" / "goldens" / name;
}

/// What transformers says (make_goldens.py).
inline const nlohmann::json& goldens() {
  static const auto all = nlohmann::json::parse(
      read_file(std::filesystem::path(kSourceDir) / "tests" / "cli" / "goldens.json"));
  return all;
}

/// Every line of `text` as JSON; throws where one is not.
inline std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// The command did its work and said nothing else.
inline void expect_success(const Finished& finished) {
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.err, "");
}

/// The command failed with `code` and one line that holds all of `parts`.
inline void expect_failure(const Finished& finished, int code,
                           const std::vector<std::string>& parts) {
  EXPECT_EQ(finished.code, code) << finished.out << finished.err;
  EXPECT_TRUE(finished.err.starts_with("error: ")) << finished.err;
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_TRUE(finished.err.ends_with('\n')) << finished.err;
  for (const auto& part : parts) EXPECT_THAT(finished.err, ::testing::HasSubstr(part));
}

/// all-MiniLM-L6-v2 from CLOZE_TEST_MODEL or the model cache; empty if it is in neither.
inline std::string minilm() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  std::filesystem::path path = variable("CLOZE_TEST_MODEL");
  if (path.empty()) {
    std::filesystem::path cache = variable("CLOZE_CACHE");
    if (cache.empty() && !variable("XDG_CACHE_HOME").empty()) {
      cache = std::filesystem::path(variable("XDG_CACHE_HOME")) / "cloze";
    }
    if (cache.empty()) cache = std::filesystem::path(variable("HOME")) / ".cache" / "cloze";
    path = cache / "all-MiniLM-L6-v2";
  }
  return std::filesystem::exists(path / "model.safetensors") ? path.string() : "";
}

}  // namespace cloze::testing
