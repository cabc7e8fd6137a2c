// A Hub that answers rubbish: an error of Cloze that says what was wrong with what, within the time
// that a pull has, and what the cache already holds stays.
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cloze/error.h"
#include "cloze/hub.h"
#include "core/bad_input.h"
#include "core/temp_directory.h"
#include "hub/files.h"
#include "hub/server.h"

namespace cloze::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr auto kBadModel = "owner/tiny";
constexpr auto kBadConfig = R"({"model_type": "bert", "vocab_size": 99, "hidden_size": 32,
  "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37})";

class BadAnswers : public ::testing::Test {
 protected:
  BadAnswers() {
    model.files = {{"config.json", kBadConfig},
                   {"vocab.txt", "[PAD]\n[UNK]\n"},
                   {"model.safetensors", "weights"}};
    server.add(kBadModel, model);
    settings.endpoint = server.endpoint();
    settings.cache = folder / "hub";
    settings.backoff = milliseconds(1);
    settings.attempts = 2;
    settings.metadata_timeout = settings.download_timeout = seconds(5);
  }

  /// The message of a pull into an empty cache; empty if it succeeds. What is in another cache
  /// afterwards is what was there.
  std::string failure(const std::string& what) {
    fs::remove_all(settings.cache);
    return refusal([&] { static_cast<void>(pull_model(kBadModel, settings)); }, what);
  }
  /// Each wrong variant of what `valid` says, given by `answer`, is refused or harmless.
  void try_answers(const json& valid, const std::function<void(const std::string&)>& answer,
                   const char* name, int least) {
    int refused = 0;
    for_each_wrong(valid, [&](const std::string& text) {
      answer(text);
      const auto message = failure(text.substr(0, 200));
      if (message.empty()) return;
      ++refused;
      EXPECT_THAT(message, HasSubstr(name)) << text.substr(0, 200);
    });
    EXPECT_GT(refused, least);
  }

  HubServer::Model model;
  HubServer server;
  TempDirectory folder;
  HubSettings settings;
};

TEST_F(BadAnswers, AboutAModel) {
  const auto valid = json{{"sha", model.commit},
                          {"siblings",
                           {{{"rfilename", "config.json"}},
                            {{"rfilename", "vocab.txt"}},
                            {{"rfilename", "model.safetensors"}}}}};
  std::string body;
  server.on_hub([&](const httplib::Request& request, httplib::Response& response) {
    if (!request.path.starts_with("/api/")) return false;
    response.set_content(body, "application/json");
    return true;
  });
  try_answers(
      valid, [&](const std::string& text) { body = text; }, kBadModel, 100);
  body = valid.dump();
  EXPECT_EQ(failure("the right answer"), "");
}

TEST_F(BadAnswers, InFilesThatNameOthers) {
  const std::vector<std::string> listing{"config.json",         "vocab.txt",
                                         "modules.json",        "1_Pooling/config.json",
                                         "model-1.safetensors", "model.safetensors.index.json"};
  const auto modules =
      json::parse(R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                      {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])");
  const auto index = json::parse(R"({"metadata": {"total_size": 5},
                                     "weight_map": {"a": "model-1.safetensors"}})");
  std::map<std::string, std::string> files{{"modules.json", modules.dump()},
                                           {"model.safetensors.index.json", index.dump()}};
  const auto choose = [&] {
    static_cast<void>(hub::choose_files(
        listing, [&](const std::string& name) { return files.at(name); }, kBadModel));
  };
  EXPECT_FALSE(refuses(choose, "what is right"));
  for (const auto& file :
       {std::pair{"modules.json", modules}, {"model.safetensors.index.json", index}}) {
    const auto* const name = file.first;
    const auto& valid = file.second;
    int refused = 0;
    for_each_wrong(valid, [&](const std::string& text) {
      files[name] = text;
      const auto message = refusal(choose, text.substr(0, 200));
      if (message.empty()) return;
      ++refused;
      EXPECT_THAT(message, HasSubstr(name)) << text.substr(0, 200);
    });
    EXPECT_GT(refused, 30) << name;
    files[name] = valid.dump();
  }
  // As files of the model: what has come stays in the cache, and the model is no whole one.
  for (const auto* name : {"config.json", "modules.json"}) {
    for (const auto* broken : {"", "[1,", "\xFF"}) {
      auto changed = model;
      changed.files[name] = broken;
      server.add(kBadModel, changed);
      EXPECT_THAT(failure(broken), HasSubstr(name));
      EXPECT_TRUE(refuses([&] { static_cast<void>(hub_model(kBadModel, settings)); }, broken));
    }
  }
}

TEST_F(BadAnswers, InHeaders) {
  const std::string long_value(20'000, 'x');
  const std::vector<std::string> strange{
      "",         "-1", "1.5", "1e300",    "9223372036854775807", "99999999999999999999",
      long_value, "\"", "W/",  "\x1b[31m", "../../etc/passwd"};
  std::string name, value;
  int status = 302;
  const auto add = [&](const httplib::Request& request, httplib::Response& response) {
    if (request.path.starts_with("/api/") || !request.path.ends_with("model.safetensors")) {
      return false;
    }
    response.set_header("X-Repo-Commit", model.commit);
    if (name != "X-Linked-Etag") {
      response.set_header("X-Linked-Etag", '"' + sha256("weights") + '"');
    }
    if (name != "X-Linked-Size") response.set_header("X-Linked-Size", "7");
    if (name != "Location") response.set_header("Location", server.cdn() + request.path);
    response.set_header(name, value);
    response.status = status;
    return true;
  };
  server.on_hub(add);
  for (const auto* header : {"X-Linked-Etag", "X-Linked-Size", "Location"}) {
    name = header;
    for (const auto& each : strange) {
      value = each;
      static_cast<void>(failure(name + ": " + each.substr(0, 40)));
    }
  }
  name = "X-Linked-Size";
  value = "9000000000000000000";  // more than any disk has: told before anything is fetched
  EXPECT_THAT(failure("a petabyte"), HasSubstr("free"));
  // What a server says of its refusal is shown in part.
  for (const int code : {204, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503, 599}) {
    status = code;
    name = "X-Error-Message";
    for (const auto& each : strange) {
      value = each;
      EXPECT_NE(failure(std::to_string(code) + ' ' + each.substr(0, 40)), "") << code;
    }
  }
}

TEST_F(BadAnswers, InRanges) {
  settings.attempts = 3;
  const std::string weights(3 << 20, 'w');
  model.files["model.safetensors"] = weights;
  server.add(kBadModel, model);
  for (const std::string range : {"", "bytes", "bytes 0-", "bytes -5-9/7", "bytes */*",
                                  "bytes 99999999999999999999-1/2", "\x1b[31m"}) {
    bool first = true;
    server.on_cdn([&](const httplib::Request& request, httplib::Response& response) {
      if (std::exchange(first, false)) {
        HubServer::cut(response, weights, weights.size() / 2);
        return true;
      }
      if (!request.has_header("Range")) return false;
      response.status = 206;
      response.set_header("Content-Range", range);
      response.set_content("rubbish", "application/octet-stream");
      return true;
    });
    const auto message = failure("Content-Range: " + range);
    if (message.empty()) {
      EXPECT_EQ(read_file(pull_model(kBadModel, settings).directory / "model.safetensors"),
                weights);
    }
  }
}

TEST_F(BadAnswers, LeaveWhatIsThere) {
  const auto pulled = pull_model(kBadModel, settings);
  const auto rubbish = [&](const httplib::Request& request, httplib::Response& response) {
    response.status = request.path.starts_with("/api/") ? 200 : 500;
    response.set_content("\xFF rubbish", "text/plain");
    return true;
  };
  server.on_hub(rubbish);
  EXPECT_TRUE(refuses([&] { static_cast<void>(pull_model(kBadModel, settings)); }, "rubbish"));
  EXPECT_EQ(hub_model(kBadModel, settings).directory, pulled.directory);
  EXPECT_EQ(read_file(pulled.directory / "model.safetensors"), "weights");
  EXPECT_EQ(read_file(pulled.directory / "config.json"), kBadConfig);
}

}  // namespace
}  // namespace cloze::testing
