// pull_model against a Hub on loopback, well behaved and not.
#include "cloze/hub.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloze/error.h"
#include "core/clock.h"
#include "core/temp_directory.h"
#include "hub/server.h"

namespace cloze::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kModel = "owner/tiny";
constexpr auto kConfig = R"({"model_type": "bert", "vocab_size": 99, "hidden_size": 32,
  "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37})";

std::string random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// A Hub with a model, an empty cache, and settings for both.
class Hub : public ::testing::Test {
 protected:
  Hub() {
    model.files = {{"config.json", kConfig},
                   {"vocab.txt", "[PAD]\n[UNK]\n"},
                   {"README.md", "read me"},
                   {"pytorch_model.bin", "worse"},
                   {"model.safetensors", weights}};
    server.add(kModel, model);
    settings.endpoint = server.endpoint();
    settings.cache = folder.path() / "hub";
    settings.backoff = milliseconds(1);
    settings.metadata_timeout = settings.download_timeout = seconds(5);
  }

  [[nodiscard]] HubModel pull(const std::string& name = kModel) const {
    return pull_model(name, settings);
  }
  /// The message of the error that a pull ends with.
  template <class Kind = IoError>
  std::string failure(const std::string& name = kModel) const {
    try {
      static_cast<void>(pull(name));
    } catch (const Kind& error) {
      return error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "another kind of error: " << error.what();
      return {};
    }
    ADD_FAILURE() << "no error";
    return {};
  }
  [[nodiscard]] fs::path root() const { return settings.cache / "models--owner--tiny"; }
  [[nodiscard]] std::string weights_of(const HubModel& pulled) const {
    return read_file(pulled.directory / "model.safetensors");
  }

  const std::string weights = random_bytes(3 << 20, 1);
  HubServer::Model model;
  HubServer server;
  TempDirectory folder;
  HubSettings settings;
};

std::vector<std::string> names_of(const HubModel& model) {
  std::vector<std::string> names;
  for (const auto& file : model.files) names.push_back(file.name);
  return names;
}

TEST_F(Hub, FetchesWhatClozeReadsAndNothingElse) {
  const auto pulled = pull();
  EXPECT_EQ(pulled.commit, model.commit);
  EXPECT_EQ(pulled.revision, "main");
  EXPECT_THAT(names_of(pulled), ElementsAre("config.json", "model.safetensors", "vocab.txt"));
  EXPECT_EQ(weights_of(pulled), weights);
  EXPECT_EQ(read_file(pulled.directory / "config.json"), kConfig);
  EXPECT_FALSE(fs::exists(pulled.directory / "README.md"));
  EXPECT_EQ(server.count("GET", "pytorch_model.bin"), 0U);
}

TEST_F(Hub, LaysTheCacheOutAsHuggingfaceHubDoes) {
  const auto pulled = pull();
  EXPECT_EQ(pulled.directory, root() / "snapshots" / model.commit);
  EXPECT_EQ(read_file(root() / "refs" / "main"), model.commit);
  EXPECT_EQ(fs::read_symlink(pulled.directory / "model.safetensors"),
            "../../blobs/" + sha256(weights));
  EXPECT_EQ(fs::read_symlink(pulled.directory / "config.json"), "../../blobs/" + git_blob(kConfig));
  EXPECT_FALSE(fs::is_symlink(root() / "blobs" / sha256(weights)));
  EXPECT_TRUE(
      fs::exists(settings.cache / ".locks" / "models--owner--tiny" / (sha256(weights) + ".lock")));
  for (const auto& entry : fs::directory_iterator(root() / "blobs")) {
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("incomplete")));
  }
}

TEST_F(Hub, LinksOfFilesInFoldersLeadToTheBlobs) {
  model.files["modules.json"] =
      R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
          {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
          {"type": "sentence_transformers.models.Dense", "path": "2_Dense"},
          {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"}])";
  model.files["1_Pooling/config.json"] = "{}";
  model.files["2_Dense/config.json"] = R"({"in": 1})";
  model.files["2_Dense/pytorch_model.bin"] = "dense weights";
  server.add(kModel, model);
  const auto pulled = pull();
  EXPECT_EQ(fs::read_symlink(pulled.directory / "1_Pooling" / "config.json"),
            "../../../blobs/" + git_blob("{}"));
  EXPECT_EQ(read_file(pulled.directory / "1_Pooling" / "config.json"), "{}");
  EXPECT_EQ(read_file(pulled.directory / "2_Dense" / "pytorch_model.bin"), "dense weights");
}

TEST_F(Hub, ASecondPullFetchesNothing) {
  static_cast<void>(pull());
  const auto before = server.seen().size();
  const auto again = pull();
  EXPECT_EQ(server.seen().size(), before + 1);  // what is the revision now?
  for (const auto& file : again.files) EXPECT_EQ(file.received, 0) << file.name;
}

TEST_F(Hub, ANewCommitSharesTheBlobsThatStay) {
  static_cast<void>(pull());
  model.commit = std::string(40, 'b');
  model.files["vocab.txt"] = "[PAD]\n[UNK]\n[MASK]\n";
  server.add(kModel, model);
  const auto pulled = pull();
  EXPECT_EQ(pulled.commit, model.commit);
  EXPECT_EQ(read_file(root() / "refs" / "main"), model.commit);
  EXPECT_EQ(server.count("GET", "model.safetensors"), 2U);  // the Hub's redirect and the CDN, once
  EXPECT_EQ(weights_of(pulled), weights);
  EXPECT_TRUE(fs::exists(root() / "snapshots" / std::string(40, 'a') / "vocab.txt"));
}

TEST_F(Hub, RevisionsAreBranchesTagsAndCommits) {
  const std::string commit(40, 'c');
  model.revisions = {{"v1.0", commit}, {"refs/pr/1", commit}, {commit, commit}};
  server.add(kModel, model);
  EXPECT_EQ(pull("owner/tiny@v1.0").commit, commit);
  EXPECT_EQ(read_file(root() / "refs" / "v1.0"), commit);
  EXPECT_EQ(pull("owner/tiny@refs/pr/1").commit, commit);
  EXPECT_EQ(read_file(root() / "refs" / "refs" / "pr" / "1"), commit);
  EXPECT_EQ(pull("owner/tiny@" + commit).commit, commit);
  EXPECT_FALSE(fs::exists(root() / "refs" / commit));
  EXPECT_FALSE(fs::exists(root() / "refs" / "main"));
  EXPECT_THAT(failure("owner/tiny@nope"),
              AllOf(HasSubstr("owner/tiny has no revision \"nope\""), HasSubstr("branch")));
}

TEST_F(Hub, TheTokenGoesToTheHubAndNowhereElse) {
  settings.token = "hf_very_secret";
  settings.token_source = "HF_TOKEN";
  static_cast<void>(pull());
  int at_hub = 0, at_cdn = 0;
  for (const auto& request : server.seen()) {
    if (request.host == "hub") {
      EXPECT_EQ(request.token, "Bearer hf_very_secret") << request.path;
      ++at_hub;
    } else {
      EXPECT_EQ(request.token, "") << request.path;
      ++at_cdn;
    }
  }
  EXPECT_GT(at_hub, 3);
  EXPECT_EQ(at_cdn, 1);
}

TEST_F(Hub, TheTokenDoesNotComeBackAfterAnotherHost) {
  settings.token = "hf_very_secret";
  server.on_cdn([&](const auto& request, auto& response) {
    response.set_redirect(server.endpoint() + "/elsewhere" + request.path);
    return true;
  });
  server.on_hub([&](const auto& request, auto& response) {
    if (!request.path.starts_with("/elsewhere")) return false;
    EXPECT_EQ(request.get_header_value("Authorization"), "");
    response.set_content(weights, "application/octet-stream");
    return true;
  });
  EXPECT_EQ(weights_of(pull()), weights);
}

TEST_F(Hub, FollowsTheHubsOwnRedirectsForTheChecksum) {
  server.on_hub([&](const auto& request, auto& response) {
    if (request.path.starts_with("/moved/")) {
      response.set_header("ETag", "W/\"" + git_blob(kConfig) + "\"");
      response.set_content(kConfig, "text/plain");
      return true;
    }
    if (!request.path.ends_with("/config.json")) return false;
    response.set_redirect("/moved/config.json", 307);
    return true;
  });
  EXPECT_EQ(read_file(pull().directory / "config.json"), kConfig);
}

TEST_F(Hub, ACutDownloadGoesOnWhereItStopped) {
  std::atomic<int> tries = 0;
  server.on_cdn([&](const auto&, auto& response) {
    if (++tries > 2) return false;
    HubServer::cut(response, weights, static_cast<std::size_t>(tries) << 20U);
    return true;
  });
  const auto pulled = pull();
  EXPECT_EQ(weights_of(pulled), weights);
  std::vector<std::string> ranges;
  for (const auto& request : server.seen()) {
    if (request.host == "cdn") ranges.push_back(request.range);
  }
  EXPECT_THAT(ranges, ElementsAre("", "bytes=1048576-", "bytes=2097152-"));
  EXPECT_EQ(pulled.files.at(1).received, static_cast<std::int64_t>(weights.size()));
}

TEST_F(Hub, AnInterruptedPullIsResumedByTheNext) {
  settings.attempts = 1;
  server.on_cdn([&](const auto&, auto& response) {
    HubServer::cut(response, weights, 1U << 20U);
    return true;
  });
  EXPECT_THAT(failure(), HasSubstr("model.safetensors"));
  EXPECT_EQ(fs::file_size(root() / "blobs" / (sha256(weights) + ".incomplete")), 1U << 20U);
  EXPECT_FALSE(fs::exists(root() / "refs" / "main"));  // nobody takes it for whole
  EXPECT_FALSE(fs::exists(root() / "snapshots" / model.commit / "model.safetensors"));

  server.on_cdn({});
  const auto pulled = pull();
  EXPECT_EQ(weights_of(pulled), weights);
  EXPECT_EQ(pulled.files.at(1).received, static_cast<std::int64_t>(weights.size()) - (1 << 20));
  EXPECT_EQ(server.last_cdn_range(), "bytes=1048576-");
}

TEST_F(Hub, AServerWithoutRangesStartsOver) {
  std::atomic<int> tries = 0;
  server.on_cdn([&](const auto&, auto& response) {
    if (++tries == 1) {
      HubServer::cut(response, weights, 1U << 20U);
      return true;
    }
    // In chunks: httplib then ignores the range, as servers may.
    response.set_chunked_content_provider("application/octet-stream",
                                          [this](std::size_t, httplib::DataSink& sink) {
                                            sink.write(weights.data(), weights.size());
                                            sink.done();
                                            return true;
                                          });
    response.status = 200;
    return true;
  });
  const auto pulled = pull();
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(weights_of(pulled), weights);
}

TEST_F(Hub, AnotherRangeThanAskedForIsNotUsed) {
  fs::create_directories(root() / "blobs");
  folder.write("hub/models--owner--tiny/blobs/" + sha256(weights) + ".incomplete",
               weights.substr(0, 1000));
  std::atomic<int> tries = 0;
  server.on_cdn([&](const auto& request, auto& response) {
    if (++tries > 1) return false;
    EXPECT_EQ(request.get_header_value("Range"), "bytes=1000-");
    response.status = 206;
    response.set_header("Content-Range", "bytes 500-999/3145728");
    response.set_chunked_content_provider("application/octet-stream",
                                          [this](std::size_t, httplib::DataSink& sink) {
                                            sink.write(weights.data() + 500, 500);
                                            sink.done();
                                            return true;
                                          });
    return true;
  });
  EXPECT_EQ(weights_of(pull()), weights);
}

TEST_F(Hub, LeftoversThatAreWrongOrTooLongAreFetchedAnew) {
  for (const auto& leftover : {random_bytes(1000, 2), random_bytes(weights.size(), 3),
                               random_bytes(weights.size() + 5, 4)}) {
    fs::remove_all(root());
    fs::create_directories(root() / "blobs");
    folder.write("hub/models--owner--tiny/blobs/" + sha256(weights) + ".incomplete", leftover);
    EXPECT_EQ(weights_of(pull()), weights) << leftover.size();
  }
}

TEST_F(Hub, AWrongChecksumIsAnErrorAndNothingIsKept) {
  auto damaged = weights;
  damaged[12345] = static_cast<char>(damaged[12345] ^ 1);
  server.on_cdn([&](const auto&, auto& response) {
    response.set_content(damaged, "application/octet-stream");
    return true;
  });
  EXPECT_THAT(failure<FormatError>(),
              AllOf(HasSubstr("model.safetensors"), HasSubstr(sha256(weights)),
                    HasSubstr(sha256(damaged))));
  EXPECT_FALSE(fs::exists(root() / "blobs" / sha256(weights)));
  EXPECT_FALSE(fs::exists(root() / "blobs" / (sha256(weights) + ".incomplete")));
  EXPECT_FALSE(fs::exists(root() / "refs" / "main"));
}

TEST_F(Hub, SmallFilesAreVerifiedTooByTheirGitBlob) {
  server.on_hub([&](const auto& request, auto& response) {
    if (!request.path.ends_with("/vocab.txt") || request.method != "GET") return false;
    response.set_content("[PAD]\n[UNK]!", "text/plain");
    return true;
  });
  EXPECT_THAT(failure<FormatError>(), AllOf(HasSubstr("vocab.txt"), HasSubstr("checksum")));
}

TEST_F(Hub, MoreBytesThanTheFileHasAreRefused) {
  server.on_cdn([&](const auto&, auto& response) {
    response.set_content(weights + "more", "application/octet-stream");
    return true;
  });
  EXPECT_THAT(failure<FormatError>(), HasSubstr("more than the 3145728 bytes"));
}

TEST_F(Hub, AnEtagThatIsNoChecksumIsRefused) {
  for (const std::string etag : {"\"../../evil\"", "\"abc\"", ""}) {
    server.on_hub([&](const auto& request, auto& response) {
      if (!request.path.ends_with("/config.json")) return false;
      if (!etag.empty()) response.set_header("ETag", etag);
      response.set_content(kConfig, "text/plain");
      return true;
    });
    EXPECT_THAT(failure<FormatError>(), HasSubstr("checksum"));
  }
  EXPECT_FALSE(fs::exists(folder.path() / "evil"));
}

TEST_F(Hub, HostileFileNamesAreRefused) {
  for (const std::string& name : {std::string("../../../evil.json"), std::string("/etc/evil"),
                                  std::string("a\0b", 3), std::string("a//b"), std::string("./a"),
                                  std::string("a/.."), std::string("a\nb"), std::string()}) {
    auto hostile = model;
    hostile.files[name] = "evil";
    server.add(kModel, hostile);
    EXPECT_THAT(failure<FormatError>(), HasSubstr("outside of the model's directory")) << name;
  }
  // Through an index too: shards are names that the listing has, or the model is not whole.
  auto hostile = model;
  hostile.files.erase("model.safetensors");
  hostile.files["model.safetensors.index.json"] =
      R"({"weight_map": {"a": "../../evil.safetensors"}})";
  server.add(kModel, hostile);
  EXPECT_THAT(failure<Error>(), HasSubstr("evil"));
  EXPECT_FALSE(fs::exists(folder.path() / "evil.json"));
  EXPECT_FALSE(fs::exists(folder.path() / "evil.safetensors"));
}

TEST_F(Hub, AnswersThatAreNoDescriptionAreRefused) {
  for (const std::string body : {"<html>log in</html>", "[]", "{}", R"({"sha": 5, "siblings": []})",
                                 R"({"sha": "../..", "siblings": []})"}) {
    server.on_hub([&](const auto&, auto& response) {
      response.set_content(body, "application/json");
      return true;
    });
    EXPECT_THAT(failure<FormatError>(), HasSubstr(server.endpoint())) << body;
  }
}

TEST_F(Hub, RefusalsSayWhatToDo) {
  const auto answer = [&](int status, std::string code) {
    server.on_hub([status, code](const auto&, auto& response) {
      response.status = status;
      if (!code.empty()) response.set_header("X-Error-Code", code);
      return true;
    });
  };
  answer(403, "GatedRepo");
  EXPECT_THAT(failure(), AllOf(HasSubstr("owner/tiny is gated"), HasSubstr("HF_TOKEN"),
                               HasSubstr(server.endpoint() + "/owner/tiny")));
  answer(401, "RepoNotFound");
  EXPECT_THAT(failure(), AllOf(HasSubstr("there is no model owner/tiny"), HasSubstr("private"),
                               HasSubstr("HF_TOKEN")));
  answer(404, "");
  EXPECT_THAT(failure(), HasSubstr("there is no model owner/tiny"));
  answer(403, "");
  EXPECT_THAT(failure(), AllOf(HasSubstr("403"), HasSubstr("HF_TOKEN")));

  settings.token = "hf_very_secret";
  settings.token_source = "/home/me/token";
  const auto from_file = [&](const char* what) {
    return AllOf(HasSubstr(what), HasSubstr("/home/me/token"), Not(HasSubstr("secret")));
  };
  answer(401, "GatedRepo");
  EXPECT_THAT(failure(), from_file("gated"));
  answer(401, "");
  EXPECT_THAT(failure(), from_file("expired"));
  answer(404, "RepoNotFound");
  EXPECT_THAT(failure(), from_file("there is no model"));
  answer(403, "");
  EXPECT_THAT(failure(), from_file("permission"));
  for (const auto& request : server.seen()) EXPECT_EQ(request.method, "GET");  // each asked once
  EXPECT_EQ(server.seen().size(), 8U);
}

TEST_F(Hub, ABusyServerIsAskedAgainAndNotForever) {
  for (const int status : {429, 500, 502, 503, 504, 408}) {
    std::atomic<int> asked = 0;
    server.on_hub([&](const auto&, auto& response) {
      if (++asked > 3) return false;
      response.status = status;
      return true;
    });
    fs::remove_all(root());
    EXPECT_EQ(pull().commit, model.commit);
    asked = -1000;
    EXPECT_THAT(failure(), AllOf(HasSubstr(std::to_string(status)), HasSubstr("5 tries")));
    EXPECT_EQ(asked, -1000 + 5);
  }
}

TEST_F(Hub, RetryAfterIsKeptToWithinReason) {
  std::atomic<int> asked = 0;
  server.on_hub([&](const auto&, auto& response) {
    if (++asked > 1) return false;
    response.status = 429;
    response.set_header("Retry-After", "1");
    return true;
  });
  const auto begin = Clock::now();
  static_cast<void>(pull());
  EXPECT_GE(milliseconds_since(begin), 990);

  server.on_hub([&](const auto&, auto& response) {
    response.status = 429;
    response.set_header("Retry-After", "86400");
    return true;
  });
  EXPECT_THAT(failure(), HasSubstr("wait of 86400 s"));
}

TEST_F(Hub, ASignedAddressThatRanOutIsAskedForAnew) {
  std::atomic<int> tries = 0;
  server.on_cdn([&](const auto&, auto& response) {
    if (++tries > 1) return false;
    response.status = 403;
    return true;
  });
  EXPECT_EQ(weights_of(pull()), weights);
  EXPECT_EQ(tries, 2);
  // And a CDN that goes on refusing is an error without the address' secrets.
  fs::remove_all(root());
  server.on_cdn([](const auto&, auto& response) {
    response.status = 403;
    return true;
  });
  EXPECT_THAT(failure(), AllOf(HasSubstr("localhost"), HasSubstr("403"), Not(HasSubstr("secret"))));
}

TEST_F(Hub, BadRedirectsEnd) {
  server.on_hub([&](const auto& request, auto& response) {
    response.set_redirect(request.path);
    return true;
  });
  EXPECT_THAT(failure(), HasSubstr("redirects more than 10 times"));
  server.on_hub([&](const auto&, auto& response) {
    response.set_redirect("file:///etc/passwd");
    return true;
  });
  EXPECT_THAT(failure<FormatError>(), HasSubstr("is no address"));
}

TEST_F(Hub, NobodyThere) {
  settings.endpoint = "http://127.0.0.1:1";
  EXPECT_THAT(failure(), AllOf(HasSubstr("http://127.0.0.1:1"), HasSubstr("check the network")));
  settings.endpoint = "";
  EXPECT_THAT(failure(), HasSubstr("HF_ENDPOINT"));
}

// Names of the Hub's oldest models, without an owner, are redirected by the Hub to their new ones.
TEST_F(Hub, ShortNamesAreTheOnesThatTheHubRedirectsTo) {
  server.on_hub([](const httplib::Request& request, httplib::Response& response) {
    for (const auto& [from, to] : {std::pair{"/api/models/tiny/", "/api/models/owner/tiny/"},
                                   std::pair{"/tiny/resolve/", "/owner/tiny/resolve/"}}) {
      if (!request.path.starts_with(from)) continue;
      response.set_redirect(to + request.path.substr(std::string_view(from).size()), 307);
      return true;
    }
    return false;
  });
  settings.token = "hf_secret";
  const auto pulled = pull("tiny");
  EXPECT_EQ(pulled.name, "tiny");
  EXPECT_TRUE(fs::exists(settings.cache / "models--tiny" / "refs" / "main"));  // as Python has it
  EXPECT_EQ(read_file(pulled.directory / "model.safetensors"), weights);
  for (const auto& request : server.seen()) {
    EXPECT_EQ(request.token, request.host == "hub" ? "Bearer hf_secret" : "") << request.path;
  }
}

// A host that takes no connection: its queue of them is full.
TEST_F(Hub, AHostThatCannotBeReachedIsGivenUpSoon) {
  const int full = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(full, where, size), 0);
  ASSERT_EQ(::listen(full, 0), 0);
  ASSERT_EQ(::getsockname(full, where, &size), 0);
  std::vector<int> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    static_cast<void>(::connect(waiting.back(), where, size));
  }
  settings.endpoint = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  settings.reach_timeout = milliseconds(300);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(failure(), AllOf(HasSubstr(settings.endpoint), HasSubstr("check the network"),
                               HasSubstr("HF_ENDPOINT"), HasSubstr("the directory of a model")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(4));
  for (const int descriptor : waiting) ::close(descriptor);
  ::close(full);
}

TEST_F(Hub, ASilentServerIsGivenUp) {
  settings.metadata_timeout = seconds(1);
  settings.attempts = 1;
  server.on_hub([](const auto&, auto&) {
    std::this_thread::sleep_for(milliseconds(2500));
    return false;
  });
  EXPECT_THAT(failure(), HasSubstr("1 try"));
}

TEST_F(Hub, OfflineAsksNobody) {
  settings.offline = true;
  EXPECT_THAT(failure(), AllOf(HasSubstr("owner/tiny"), HasSubstr("offline")));
  settings.offline = false;
  const auto pulled = pull();
  const auto asked = server.seen().size();
  settings.offline = true;
  EXPECT_EQ(pull().directory, pulled.directory);
  EXPECT_EQ(pull("owner/tiny@" + model.commit).directory, pulled.directory);
  EXPECT_THAT(failure("owner/tiny@v2"), HasSubstr("offline"));
  EXPECT_EQ(server.seen().size(), asked);
  fs::remove(pulled.directory / "model.safetensors");  // no longer whole
  EXPECT_THAT(failure(), HasSubstr("not wholly"));
}

TEST_F(Hub, AModelOnceFetchedIsUsedWithoutAsking) {
  const auto pulled = hub_model(kModel, settings);
  const auto asked = server.seen().size();
  EXPECT_EQ(hub_model(kModel, settings).directory, pulled.directory);
  EXPECT_EQ(server.seen().size(), asked);
}

TEST_F(Hub, WhatPythonLeftIsCompletedOrUsedWhenNobodyAnswers) {
  // As huggingface_hub leaves a model: blobs, links, a ref, and no note of Cloze's.
  const auto pulled = pull();
  fs::remove_all(root() / ".cloze");
  auto nobody = settings;
  nobody.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(hub_model(kModel, nobody).directory, pulled.directory);
  nobody.endpoint.clear();
  EXPECT_EQ(hub_model(kModel, nobody).directory, pulled.directory);
  fs::remove(pulled.directory / "vocab.txt");
  const auto before = server.count("GET", "model.safetensors");
  EXPECT_TRUE(fs::exists(hub_model(kModel, settings).directory / "vocab.txt"));
  EXPECT_EQ(server.count("GET", "model.safetensors"), before);
}

TEST_F(Hub, ManyPullsAtOnceDownloadEachFileOnce) {
  server.on_cdn([](const auto&, auto&) {
    std::this_thread::sleep_for(milliseconds(100));
    return false;
  });
  std::vector<HubModel> pulled(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : pulled) threads.emplace_back([&] { result = pull(); });
  }
  for (const auto& result : pulled) EXPECT_EQ(weights_of(result), weights);
  EXPECT_EQ(server.count("GET", "model.safetensors"), 2U);  // the redirect and the bytes
}

TEST_F(Hub, VerifyFindsWhatWasDamagedOnDisk) {
  const auto pulled = pull();
  const auto blob = root() / "blobs" / sha256(weights);
  auto damaged = weights;
  damaged[7] = static_cast<char>(damaged[7] ^ 1);
  folder.write("hub/models--owner--tiny/blobs/" + sha256(weights), damaged);
  EXPECT_EQ(weights_of(pull()), damaged);
  settings.verify = true;
  EXPECT_EQ(weights_of(pull()), weights);
  EXPECT_EQ(read_file(blob), weights);
}

TEST_F(Hub, ACacheThatCannotBeWrittenIsNamed) {
  folder.write("file", "");
  settings.cache = folder.path() / "file" / "hub";
  EXPECT_THAT(failure(), AllOf(HasSubstr(settings.cache.string()), HasSubstr("HF_HUB_CACHE")));
}

TEST_F(Hub, AFullDiskIsToldBeforeTheDownload) {
  server.on_hub([&](const auto& request, auto& response) {
    if (request.method != "HEAD" || !request.path.ends_with(".safetensors")) return false;
    response.set_header("X-Linked-Etag", sha256(weights));
    response.set_header("X-Linked-Size", "9000000000000000");
    return true;
  });
  EXPECT_THAT(failure(), AllOf(HasSubstr("MiB free"), HasSubstr("HF_HUB_CACHE")));
  EXPECT_EQ(server.count("GET", ".safetensors"), 0U);
}

TEST_F(Hub, AModelThatIsNoBertIsToldBeforeItsWeights) {
  model.files["config.json"] = R"({"model_type": "gpt2"})";
  server.add(kModel, model);
  EXPECT_THAT(failure<ModelError>(), HasSubstr("gpt2"));
  EXPECT_EQ(server.count("HEAD", ".safetensors"), 0U);
}

TEST_F(Hub, AFileWithoutContentIsAFile) {
  model.files["added_tokens.json"] = "";
  server.add(kModel, model);
  const auto pulled = pull();
  EXPECT_TRUE(fs::exists(pulled.directory / "added_tokens.json"));
  EXPECT_EQ(fs::file_size(pulled.directory / "added_tokens.json"), 0U);
}

}  // namespace
}  // namespace cloze::testing
