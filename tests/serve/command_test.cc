// The command: its options, and its life from the first line to the signal.
#include <chrono>
#include <csignal>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_command.h"
#include "serve/raw_client.h"

namespace cloze {
namespace {

using nlohmann::json;
using testing::cloze_command;
using testing::expect_failure;
using testing::golden_model;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::TempDirectory;

/// `cloze serve` at a port that the system chose.
class ServeCommand {
 public:
  explicit ServeCommand(std::vector<std::string> arguments,
                        const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), "serve");
    arguments.insert(arguments.end(), {"--port", "0"});
    child_ = testing::start_command(arguments, {.err = error_file()}, environment);
    static const std::regex listening("listening at http://127.0.0.1:(\\d+)\n");
    std::smatch found;
    for (int i = 0; i < 3000 && port == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const auto text = log();
      if (std::regex_search(text, found, listening)) port = std::stoi(found[1]);
    }
    if (port == 0) throw std::runtime_error("the server did not start: " + log());
  }
  ~ServeCommand() {
    if (child_ > 0) (void)end(SIGKILL);
  }
  ServeCommand(const ServeCommand&) = delete;
  ServeCommand& operator=(const ServeCommand&) = delete;
  ServeCommand(ServeCommand&&) = delete;
  ServeCommand& operator=(ServeCommand&&) = delete;

  [[nodiscard]] std::string log() const {
    return std::filesystem::exists(error_file()) ? testing::read_file(error_file()) : "";
  }
  /// Sends the signal; the status, as waitpid gives it.
  int end(int signal) {
    ::kill(child_, signal);
    const auto status = testing::wait_for(child_);
    child_ = 0;
    return status;
  }

  int port = 0;

 private:
  [[nodiscard]] std::filesystem::path error_file() const { return folder_ / "err"; }

  TempDirectory folder_;
  pid_t child_ = 0;
};

TEST(ServeCommand, WrongUsageIsToldOf) {
  const auto model = golden_model("bare_odd").string();
  expect_failure(cloze_command({"serve"}), 2, {"--model"});
  expect_failure(cloze_command({"serve", "--model", "a=" + model, "--model", "a=" + model}), 2,
                 {"two models have the name \"a\""});
  expect_failure(cloze_command({"serve", "--model", model, "--no-tcp"}), 2, {"--unix"});
  expect_failure(cloze_command({"serve", "--model", model, "--port", "65536"}), 2, {"--port"});
  expect_failure(cloze_command({"serve", "--model", model, "--pooling", "x"}), 2, {"x"});
  expect_failure(cloze_command({"serve", "--model", model, "--api-key", ""}), 2, {"--api-key"});
  expect_failure(cloze_command({"serve", "--model", model, "--log-format", "x"}), 2,
                 {"--log-format"});
  expect_failure(cloze_command({"serve", "--model", "/nowhere/x"}), 1, {"/nowhere/x"});
  expect_failure(cloze_command({"serve", "--model", model, "--api-key-file", "/nowhere/x"}), 1,
                 {"--api-key-file"});
  expect_failure(cloze_command({"serve", "--model", golden_model("choice").string()}), 1,
                 {"no route"});
  expect_failure(cloze_command({"serve", "--model", model, "--host", "192.0.2.1"}), 1,
                 {"192.0.2.1"});
}

TEST(ServeCommand, ServesAndEndsBySignal) {
  const std::string secret = "a very secret text";
  ServeCommand serve(
      {"--model", "name=" + golden_model("bare_odd").string(), "--log-format", "json"},
      {"CLOZE_API_KEY=a-key"});
  {
    RawClient client(serve.port);
    const auto body = json{{"inputs", secret}}.dump();
    EXPECT_EQ(client.post("/embed", body, "X-Api-Key: a-key\r\n").status, 200);
    EXPECT_EQ(RawClient(serve.port).post("/embed", body).status, 401);
  }
  EXPECT_EQ(serve.end(SIGTERM), 0);
  const auto log = serve.log();
  EXPECT_THAT(log, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(log, ::testing::Not(HasSubstr("a-key")));
  EXPECT_THAT(log, HasSubstr("\"route\":\"/embed\",\"status\":200,\"inputs\":1"));
}

TEST(ServeCommand, ServesAUnixSocketAlone) {
  const TempDirectory folder;
  const auto path = (folder / "socket").string();
  const pid_t child = testing::start_command({"serve", "--model", golden_model("bare_odd").string(),
                                              "--unix", path, "--no-tcp", "--log-format", "none"});
  for (int i = 0; i < 3000 && !std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  {
    RawClient client(path);
    EXPECT_EQ(client.get("/health").status, 200);
  }
  ::kill(child, SIGINT);
  EXPECT_EQ(testing::wait_for(child), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

/// The vector that `cloze encode` prints of a text.
json encoded(const std::vector<std::string>& arguments) {
  const auto finished = cloze_command(arguments);
  EXPECT_EQ(finished.code, 0) << finished.err;
  return testing::json_lines(finished.out).at(0);
}

TEST(ServeCommand, GivesTheNumbersOfTheCommandsDigitByDigit) {
  const auto model = golden_model("bare_odd").string();
  const auto tags = golden_model("token_5_layers").string();
  ServeCommand serve({"--model", "a=" + model, "--model", "b=" + tags, "--log-format", "none"});
  RawClient client(serve.port);
  const auto line = cloze_command({"encode", "--model", model, "--pooling", "mean", "--normalize",
                                   "--json", "hello world"})
                        .out;
  const auto embedded = client.post("/embed", R"({"inputs":"hello world"})").body;
  EXPECT_THAT(line, HasSubstr(embedded.substr(1, embedded.size() - 2)));
  const auto command = encoded({"tag", "--model", tags, "--json", "hello world"});
  const auto tagged = json::parse(
      client.post("/pipeline/token-classification", R"({"inputs":"hello world"})").body);
  ASSERT_EQ(command["entities"].size(), tagged.size());
  for (std::size_t i = 0; i < tagged.size(); ++i) {
    EXPECT_EQ(command["entities"][i]["score"], tagged[i]["score"]);
  }
}

TEST(ServeCommand, GivesMiniLmsVectorsToTheBit) {
  const auto model = testing::minilm();
  if (model.empty()) GTEST_SKIP() << "scripts/fetch-model fetches the model";
  ServeCommand serve({"--model", model, "--log-format", "none"});
  RawClient client(serve.port);
  const std::string text = "Hello, my dog is cute";
  const auto line = cloze_command({"encode", "--model", model, "--json", text}).out;
  const auto embedded = client.post("/embed", json{{"inputs", text}}.dump()).body;
  EXPECT_THAT(line, HasSubstr(embedded.substr(1, embedded.size() - 2)));
}

}  // namespace
}  // namespace cloze
