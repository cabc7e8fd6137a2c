// cloze pull, and --model with a name on the Hub.
#include "cli/run_command.h"
#include "hub/server.h"

namespace cloze::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A Hub with a golden model, and an environment that knows it and nothing of this machine's.
class PullCommand : public ::testing::Test {
 protected:
  PullCommand() {
    for (const auto* name :
         {"config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"}) {
      model.files[name] = read_file(golden_model("pretraining") / name);
    }
    server.add("owner/tiny", model);
    environment = {"HF_ENDPOINT=" + server.endpoint(),
                   "HF_HOME=" + folder.path().string(),
                   "HF_HUB_CACHE=",
                   "HUGGINGFACE_HUB_CACHE=",
                   "HF_TOKEN=hf_very_secret",
                   "HF_HUB_OFFLINE=",
                   "TRANSFORMERS_OFFLINE=",
                   "CLOZE_CACHE=" + (folder / "none").string()};
  }
  [[nodiscard]] Finished run(const std::vector<std::string>& arguments) const {
    return cloze_command(arguments, {.environment = environment});
  }

  HubServer::Model model;
  HubServer server;
  TempDirectory folder;
  std::vector<std::string> environment;
};

TEST_F(PullCommand, FetchesAndTellsWhere) {
  const auto finished = run({"pull", "owner/tiny", "--json"});
  expect_success(finished);
  const auto pulled = json_lines(finished.out).at(0);
  EXPECT_EQ(pulled["model"], "owner/tiny");
  EXPECT_EQ(pulled["revision"], "main");
  EXPECT_EQ(pulled["commit"], model.commit);
  EXPECT_EQ(pulled["files"].size(), 4U);
  EXPECT_GT(pulled["received"].get<int>(), 1000);
  const std::filesystem::path directory = pulled["directory"].get<std::string>();
  EXPECT_EQ(read_file(directory / "model.safetensors"), model.files["model.safetensors"]);
  EXPECT_TRUE(directory.string().starts_with(folder.path().string()));

  const auto again = run({"pull", "owner/tiny"});
  expect_success(again);
  EXPECT_THAT(again.out, HasSubstr("0.0 MiB fetched"));
  EXPECT_THAT(again.out, HasSubstr(directory.string()));
  EXPECT_THAT(finished.out + again.out, Not(HasSubstr("secret")));
}

TEST_F(PullCommand, ANameOfTheHubIsAModelEverywhere) {
  const auto name = run({"fill-mask", "--model", "owner/tiny", "--json", "the [MASK] dog"});
  expect_success(name);
  const auto directory = run(
      {"fill-mask", "--model", golden_model("pretraining").string(), "--json", "the [MASK] dog"});
  EXPECT_EQ(name.out, directory.out);
  // And without a network from then on, and at a revision too.
  environment.emplace_back("HF_HUB_OFFLINE=1");
  const auto asked = server.seen().size();
  expect_success(run({"info", "--model", "owner/tiny"}));
  expect_success(run({"info", "--model", "owner/tiny@" + model.commit}));
  expect_success(run({"pull", "owner/tiny"}));
  EXPECT_EQ(server.seen().size(), asked);
  expect_failure(run({"info", "--model", "owner/other"}), 1, {"owner/other", "offline"});
}

TEST_F(PullCommand, Failures) {
  expect_failure(run({"pull", "owner/none"}), 1, {"there is no model owner/none", "HF_TOKEN"});
  expect_failure(run({"pull", "owner/tiny@nope"}), 1, {"no revision \"nope\""});
  expect_failure(run({"pull", "owner/tiny", "--offline"}), 1, {"owner/tiny", "offline"});
  expect_failure(run({"pull"}), 2, {"NAME"});
  expect_failure(run({"pull", "../tiny"}), 2, {"../tiny", "owner/name"});
  expect_failure(run({"pull", "owner/tiny", "--offline", "--verify"}), 2, {"--verify"});
  expect_failure(run({"info", "--model", "owner/none"}), 1,
                 {"neither a directory", "there is no model owner/none"});
  environment.emplace_back("HF_ENDPOINT=");
  expect_failure(run({"pull", "owner/tiny"}), 1, {"owner/tiny", "HF_ENDPOINT"});
  expect_failure(run({"info", "--model", "nothing"}), 1, {"nothing", "directory", "HF_ENDPOINT"});
  environment.emplace_back("HF_ENDPOINT=not an address");
  expect_failure(run({"pull", "owner/tiny"}), 1, {"HF_ENDPOINT"});
}

TEST_F(PullCommand, TwoProcessesAtOnceShareTheWork) {
  server.on_cdn([](const auto&, auto&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return false;
  });
  Finished one, two;
  {
    const std::jthread first([&] { one = run({"pull", "owner/tiny", "--json"}); });
    const std::jthread second([&] { two = run({"pull", "owner/tiny", "--json"}); });
  }
  expect_success(one);
  expect_success(two);
  int downloads = 0;
  for (const auto& request : server.seen()) downloads += request.host == "cdn" ? 1 : 0;
  EXPECT_EQ(downloads, 1);
}

TEST_F(PullCommand, AKilledPullIsResumed) {
  const auto& weights = model.files["model.safetensors"];
  const auto half = weights.size() / 2;
  server.on_cdn([&](const auto&, auto& response) {  // half of it, then silence
    response.set_content_provider(
        weights.size(), "application/octet-stream",
        [&weights, half](std::size_t offset, std::size_t, httplib::DataSink& sink) {
          if (offset == 0) return sink.write(weights.data(), half);
          std::this_thread::sleep_for(std::chrono::seconds(2));
          return false;
        });
    return true;
  });
  const auto blobs = folder / "hub/models--owner--tiny/blobs";
  const auto incomplete = blobs / (sha256(weights) + ".incomplete");
  const pid_t child = start_command({"pull", "owner/tiny"}, {}, environment);
  const auto size = [&] {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(incomplete, error);
    return error ? 0 : bytes;
  };
  for (int i = 0; i < 1000 && size() < half; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(child, SIGKILL);
  wait_for(child);
  ASSERT_EQ(size(), half);

  server.on_cdn({});
  const auto finished = run({"pull", "owner/tiny", "--json"});
  expect_success(finished);
  EXPECT_EQ(server.last_cdn_range(), "bytes=" + std::to_string(half) + "-");
  EXPECT_EQ(read_file(blobs / sha256(weights)), weights);
}

}  // namespace
}  // namespace cloze::testing
